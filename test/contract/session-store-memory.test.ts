import { MemorySessionStore } from '../../session-gateway/src/sessions/memory-session-store.js';
import { sessionStoreContract } from './session-store.contract.js';

sessionStoreContract('SessionStore (memory)', () => {
  let milliseconds = 1_800_000_000_500;
  const store = new MemorySessionStore(() => milliseconds);
  return Promise.resolve({
    store,
    now: () => Promise.resolve(Math.floor(milliseconds / 1000)),
    runOut: async (handle) => {
      const session = await store.find(handle);
      if (session !== undefined) milliseconds = session.expiresAt * 1000;
    },
    close: () => Promise.resolve(),
  });
});
