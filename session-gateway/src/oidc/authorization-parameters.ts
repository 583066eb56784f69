/** What a page may ask of one login (OIDC Core 1.0 §3.1.2.1). */
export type AuthorizationParameter =
  'prompt' | 'login_hint' | 'acr_values' | 'max_age' | 'ui_locales';

export type AuthorizationParameters = Readonly<Partial<Record<AuthorizationParameter, string>>>;

/** `none` goes with nothing else; `create` is OpenID Connect's "Initiating User Registration". */
const prompts = new Set(['none', 'login', 'consent', 'select_account', 'create']);

const grammar: Readonly<Record<AuthorizationParameter, (value: string) => boolean>> = {
  prompt: (value) => {
    const words = value.split(' ');
    const isKnown = words.every((word) => prompts.has(word));
    return (
      isKnown &&
      new Set(words).size === words.length &&
      (words.length === 1 || !words.includes('none'))
    );
  },
  login_hint: (value) => /^[^\p{C}\u2028\u2029]{1,255}$/u.test(value),
  acr_values: (value) => value.length <= 255 && /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(value),
  max_age: (value) => /^[0-9]{1,9}$/.test(value),
  // Language tags, RFC 5646.
  ui_locales: (value) => value.length <= 128 && /^[A-Za-z0-9]+(?:[- ][A-Za-z0-9]+)*$/.test(value),
};

const names = Object.keys(grammar) as AuthorizationParameter[];

/**
 * The parameters of a login's start that may reach the provider. Whatever is not on the list, given
 * twice or out of form is dropped: the address may have been written by a stranger, and nothing of
 * it may change `redirect_uri`, `scope`, `state` or `response_mode`.
 */
export function authorizationParameters(query: URLSearchParams): AuthorizationParameters {
  const entries = names.flatMap((name) => {
    const [value, ...more] = query.getAll(name);
    return value !== undefined && more.length === 0 && grammar[name](value) ? [[name, value]] : [];
  });
  return Object.fromEntries(entries) as AuthorizationParameters;
}
