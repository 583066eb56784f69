import type { RunOrder } from '../../load/load-spec.js';
import type { ProviderClient } from './provider.js';

/** What the peers' process is told once. */
export interface PeersSpec {
  readonly providerPort: number;
  readonly permissionPort: number;
  readonly clients: readonly ProviderClient[];
}

/** A kind of request, at a time on each of `connections`. */
export type Work = GetWork | LoginWork | PostRefreshWork | DueRefreshWork;

export interface GetWork {
  readonly kind: 'get';
  readonly port: number;
  readonly connections: number;
  readonly path: string;
  /** The ids are those of the sessions 0 … count - 1 of this seed; left out: no session at all. */
  readonly sessions?: {
    readonly seed: string;
    readonly count: number;
    /** Drawn uniformly, or each once, in order, on and on over all rounds. */
    readonly order: 'random' | 'each-once';
  };
}

export interface LoginWork {
  readonly kind: 'login';
  readonly port: number;
  readonly connections: number;
  readonly startPath: string;
  /** What the callback answers when the person is logged in. */
  readonly loggedIn: { readonly status: number; readonly cookie: string };
}

export interface RedisAccess {
  readonly port: number;
  readonly username: string;
  readonly password: string;
}

/** `POST /auth/refresh`, for sessions that earlier logins on `loginsOf` have left, each once per run. */
export interface PostRefreshWork {
  readonly kind: 'post-refresh';
  readonly port: number;
  readonly connections: number;
  readonly loginsOf: number;
  readonly redis: RedisAccess;
}

/** All sessions that earlier logins on `loginsOf` have left become due, and the workers find them. */
export interface DueRefreshWork {
  readonly kind: 'due-refresh';
  readonly loginsOf: number;
  readonly redis: RedisAccess;
}

export interface PeersOrder {
  readonly work: Work;
  readonly order: RunOrder;
}
