import { isLoopback } from '@sallyport/shared/runtime';
import { isWideRange, parseTrustedProxies } from './http/device.js';
import type { SealKey } from './sealing/key-ring.js';

/** Why a setting cannot be used, or undefined if it can. No message may repeat a secret. */
export type Problem = string | undefined;

const placeholder =
  /^(?:placeholder|change-?me|your[-_]|replace|todo|sample|example|dummy|x{3,}|<|\$\{)|(?:placeholder|change-?me)/i;
const sampleSecrets = new Set(['secret', 'client-secret', 'client_secret', 'password', 'test']);
const sampleHost = /(?:^|\.)(?:example(?:\.(?:com|org|net))?|invalid)$|placeholder|^your[-.]/i;

/** A value somebody forgot to replace; the original shipped such defaults. */
export function placeholderProblem(value: string): Problem {
  return placeholder.test(value) || sampleSecrets.has(value.toLowerCase())
    ? 'is a placeholder. Set the value that the identity provider gave you.'
    : undefined;
}

/** An https URL; http only on loopback and only in the demo. */
export function secureUrlProblem(text: string, devInsecure: boolean): Problem {
  if (!URL.canParse(text)) return 'is not a URL. Give it with its scheme, https://….';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'must not carry a user or password.';
  if (url.protocol === 'https:') return undefined;
  if (url.protocol !== 'http:') return 'must start with https://.';
  if (isLoopback(url.hostname) && devInsecure) return undefined;
  return isLoopback(url.hostname)
    ? 'is http. Use https, or DEV_INSECURE=1 for a trial on this machine.'
    : 'is http. Use https: http is accepted on loopback only, with DEV_INSECURE=1.';
}

export function originProblem(text: string, devInsecure: boolean): Problem {
  const problem = secureUrlProblem(text, devInsecure);
  if (problem !== undefined) return problem;
  return new URL(text).origin === text.replace(/\/$/, '')
    ? undefined
    : 'must be an origin only: scheme, lower-case host and, if unusual, port.';
}

export function issuerProblem(text: string, devInsecure: boolean): Problem {
  // openid-client does not compare the issuer when it is given the document's own URL.
  if (text.includes('/.well-known/')) {
    return 'is a discovery URL. Give the part before /.well-known.';
  }
  if (/[?#]/.test(text)) return 'must have no query and no fragment (OIDC Discovery 1.0 §3).';
  if (!devInsecure && URL.canParse(text) && sampleHost.test(new URL(text).hostname)) {
    return 'is a placeholder. Set the issuer of your identity provider.';
  }
  return secureUrlProblem(text, devInsecure);
}

/** The network may protect a plaintext link; then somebody has to say so. */
export function serviceUrlProblem(text: string, acknowledged: boolean): Problem {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    return 'is not an http(s) URL.';
  const url = new URL(text);
  if (url.search !== '' || url.hash !== '') return 'must have no query and no fragment.';
  if (url.username !== '' || url.password !== '') return 'must not carry a user or password.';
  return url.protocol === 'https:' || isLoopback(url.hostname) || acknowledged
    ? undefined
    : 'would be spoken to in plain text. Use https, or PERMISSION_SERVICE_PLAINTEXT=acknowledged if the network protects the link.';
}

/** Passwords of manuals, images and tutorials: the first that anybody tries. */
const commonPasswords = new Set([
  ...['redis', 'password', 'foobared', 'changeme', 'change-me', 'secret', 'default', 'admin'],
  ...['root', 'test', 'guest', 'letmein', '123456', '12345678', 'redispassword', 'mypassword'],
  ...['yourpassword', 'your-password', 'strongpassword', 'supersecret', 'bitnami', 'pass'],
]);

export function commonPasswordProblem(password: string | undefined): Problem {
  return password !== undefined && commonPasswords.has(password.toLowerCase())
    ? 'has a password that everybody knows. Make one: openssl rand -base64 32'
    : undefined;
}

export function passwordIn(url: string): string | undefined {
  try {
    return decodeURIComponent(new URL(url).password) || undefined;
  } catch {
    return undefined;
  }
}

/** A list with everybody in it would let anybody choose the address they are counted by. */
export function trustedProxiesProblem(text: string): Problem {
  if (text.split(',').some((range) => /\/0*$/.test(range.trim()))) {
    return 'trusts everybody. Name the proxies in front of the gateway.';
  }
  const wide = text.split(',').find(isWideRange)?.trim();
  if (wide !== undefined) {
    return `${wide} holds far more than your proxies, and whoever is in it chooses the address they are counted by. Name the proxies or their network: nothing wider than /8, for IPv6 than /16.`;
  }
  return parseTrustedProxies(text) === undefined
    ? 'must be addresses or ranges such as 10.0.0.0/8, separated by commas.'
    : undefined;
}

/** `kid:key,kid:key`, the first seals, all open. Problems name the position, never the key. */
export function parseSealKeys(
  text: string,
  allowSamples: boolean,
): { keys: readonly SealKey[]; problems: readonly string[] } {
  const problems: string[] = [];
  const keys = text.split(',').flatMap((entry, index) => {
    const [, kid, encoded] =
      /^\s*([A-Za-z0-9_-]{1,32}):([A-Za-z0-9_-]{43})=?\s*$/.exec(entry) ?? [];
    if (kid === undefined || encoded === undefined) {
      problems.push(
        `entry ${index + 1} is not kid:key with 32 bytes in base64url. Make one: node -p "'k1:'+require('crypto').randomBytes(32).toString('base64url')"`,
      );
      return [];
    }
    const key = new Uint8Array(Buffer.from(encoded, 'base64url'));
    if (!allowSamples && !looksRandom(key)) {
      problems.push(`entry ${index + 1} is not random. Make one with a generator.`);
    }
    return [{ kid, key }];
  });
  if (new Set(keys.map(({ kid }) => kid)).size !== keys.length)
    problems.push('a kid occurs twice.');
  if (new Set(keys.map(({ key }) => Buffer.from(key).toString('hex'))).size !== keys.length) {
    problems.push('a key occurs twice.');
  }
  return { keys, problems };
}

/** 32 random bytes are hardly ever all text and hold some 30 different values. */
function looksRandom(key: Uint8Array): boolean {
  return (
    new Set(key).size >= 16 && !key.every((byte) => byte >= 0x20 && byte < 0x7f) && !counts(key)
  );
}

function counts(key: Uint8Array): boolean {
  return key.every((byte, index) => index === 0 || byte === ((key[index - 1] ?? 0) + 1) % 256);
}
