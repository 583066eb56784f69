import type { SessionHandle } from '@sallyport/shared';
import type { Correlation } from '../correlation.js';
import type { GrantSources } from '../permissions/grant-sources.js';
import type { RefreshEvents } from '../refresh-events.js';
import type { SessionLifecycle } from './session-lifecycle.js';
import type { SessionStore, SessionUpdate, StoredSession } from './session-store.js';
import { orUnavailable } from './store-unavailable.js';

export interface PermissionRefreshOptions {
  readonly store: Pick<SessionStore, 'find' | 'update' | 'cap'>;
  readonly sessions: Pick<SessionLifecycle, 'liftCap'>;
  readonly client: Pick<GrantSources, 'grantsOf'>;
  readonly events: RefreshEvents;
  /** How long an answer may be used without asking again, seconds. */
  readonly freshSeconds: number;
}

type NewPermissions = NonNullable<SessionUpdate['permissions']>;

/** Pushes may come at any time; each means to ask once more, but not for ever. */
const attempts = 5;

/** Roles and permissions of a live session, asked for again. */
export class PermissionRefresh {
  readonly #options: PermissionRefreshOptions;

  constructor(options: PermissionRefreshOptions) {
    this.#options = options;
  }

  /**
   * Asks; stores nothing. Where no usable answer comes the session is capped: it must not outlive
   * what it may do by more than the time its last answer is good for.
   */
  async fetch(
    handle: SessionHandle,
    session: StoredSession,
    correlation?: Correlation,
  ): Promise<NewPermissions | undefined> {
    const { store, client, events, freshSeconds } = this.#options;
    const { profile, grants, permVersion } = session;
    try {
      const { userId, roles, permissions } = await client.grantsOf(profile, correlation);
      if (userId === grants.userId) {
        events.permissionsFetched('ok');
        return { expectedVersion: permVersion, roles, permissions, freshForSeconds: freshSeconds };
      }
      events.permissionsFetched('other_user');
    } catch (error) {
      events.permissionsFetched(
        (error as { code?: unknown }).code === 'permission_service_contract'
          ? 'contract'
          : 'unavailable',
      );
    }
    await orUnavailable(store.cap(handle, permVersion));
    return undefined;
  }

  /**
   * Stores what was fetched, and lifts the cap of an earlier failure.
   * @returns `conflict`: others were pushed meanwhile
   */
  async keep(
    handle: SessionHandle,
    session: StoredSession,
    permissions: NewPermissions,
    correlation?: Correlation,
  ): Promise<'kept' | 'conflict' | 'gone'> {
    const { store, sessions } = this.#options;
    const outcome = await orUnavailable(store.update(handle, { permissions }));
    if (outcome.outcome === 'gone') return 'gone';
    if (outcome.permissions !== 'stored') return 'conflict';
    await sessions.liftCap(handle, session, outcome, correlation);
    return 'kept';
  }

  /** Asks and stores. @returns whether the session has new permissions, or is gone. */
  async renew(
    handle: SessionHandle,
    correlation?: Correlation,
  ): Promise<'renewed' | 'failed' | 'gone'> {
    const { store } = this.#options;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const session = await orUnavailable(store.find(handle));
      if (session === undefined) return 'gone';
      const permissions = await this.fetch(handle, session, correlation);
      if (permissions === undefined) return 'failed';
      const kept = await this.keep(handle, session, permissions, correlation);
      if (kept === 'gone') return 'gone';
      if (kept === 'kept') return 'renewed';
    }
    return 'failed';
  }
}
