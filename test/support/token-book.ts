import type { GrantAsked, GrantGiven } from './idp.js';

/** A login at the provider, and the refresh tokens that came of it, one after the other. */
export interface TokenFamily {
  readonly sid: string;
  readonly sub: string;
  /** New tokens that were given for an old one. */
  renewals: number;
  /** One of its tokens came twice: the provider takes that for a theft, and ends it. */
  cameTwice: boolean;
}

/** What a provider is asked for: that every code and every refresh token comes as often as it may. */
export class TokenBook {
  readonly #times = new Map<string, number>();
  readonly #codes = new Map<string, TokenFamily>();
  readonly #tokens = new Map<string, TokenFamily>();
  readonly #sids = new Map<string, TokenFamily>();
  readonly wrong: string[] = [];
  /** Refresh tokens that came a second time. */
  repeats = 0;

  note({ code, refresh_token: sent }: GrantAsked, given: GrantGiven | undefined): void {
    const value = code ?? sent;
    if (value === undefined) return;
    const times = (this.#times.get(value) ?? 0) + 1;
    this.#times.set(value, times);
    if (code !== undefined) this.#noteCode(code, times, given);
    else if (sent !== undefined) this.#noteRefresh(sent, times, given);
  }

  byCode(code: string): TokenFamily | undefined {
    return this.#codes.get(code);
  }

  bySid(sid: string | undefined): TokenFamily | undefined {
    return sid === undefined ? undefined : this.#sids.get(sid);
  }

  #noteCode(code: string, times: number, given: GrantGiven | undefined): void {
    if (times > 1) this.wrong.push(`I6 a code was sent ${String(times)} times`);
    if (given?.id_token === undefined || given.refresh_token === undefined) return;
    const payload = Buffer.from(given.id_token.split('.')[1] ?? '', 'base64url').toString();
    const { sid, sub } = JSON.parse(payload) as { sid: string; sub: string };
    const family = { sid, sub, renewals: 0, cameTwice: false };
    this.#codes.set(code, family);
    this.#sids.set(sid, family);
    this.#tokens.set(given.refresh_token, family);
  }

  /** One retry, where nobody knows what became of the first use; never a third one. */
  #noteRefresh(sent: string, times: number, given: GrantGiven | undefined): void {
    const family = this.#tokens.get(sent);
    if (family === undefined) return;
    if (times > 1) {
      this.repeats += 1;
      family.cameTwice = true;
    }
    if (times > 2) this.wrong.push(`I4 a refresh token was sent ${String(times)} times`);
    if (given?.refresh_token === undefined) return;
    family.renewals += 1;
    this.#tokens.set(given.refresh_token, family);
  }
}
