import { status, type Server, type ServerWritableStream, type sendUnaryData } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import type { Health } from '@sallyport/shared/runtime';

type State = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
interface Request {
  readonly service: string;
}
interface Answer {
  readonly status: State;
}
type Watcher = ServerWritableStream<Request, Answer>;

const watchInterval = 500;
const maxWatchers = 100;

/**
 * `grpc.health.v1.Health` over the same `Health` as `/readyz`, asked when somebody asks, so that
 * the two cannot disagree. Nothing runs while nobody watches.
 */
export function addHealthService(
  server: Server,
  health: Health,
  serviceNames: readonly string[],
): { stop(): void } {
  const known = new Set(['', ...serviceNames]);
  const watchers = new Map<Watcher, State>();
  let timer: NodeJS.Timeout | undefined;
  let asking: Promise<State> | undefined;

  const serving = (): Promise<State> => {
    // One question at a time: it goes to Redis, and anybody may ask.
    asking ??= health
      .ready()
      .then(({ ready }): State => (ready ? 'SERVING' : 'NOT_SERVING'))
      .finally(() => {
        asking = undefined;
      });
    return asking;
  };

  const tell = (watcher: Watcher, state: State): void => {
    if (watchers.get(watcher) === state || watcher.cancelled) return;
    watchers.set(watcher, state);
    watcher.write({ status: state });
  };

  const forget = (watcher: Watcher): void => {
    watchers.delete(watcher);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  const tellAll = async (): Promise<void> => {
    const state = await serving();
    for (const watcher of watchers.keys()) {
      if (known.has(watcher.request.service)) tell(watcher, state);
    }
  };

  server.addService(service, {
    check: (call: { request: Request }, callback: sendUnaryData<Answer>) => {
      if (!known.has(call.request.service)) {
        callback({ code: status.NOT_FOUND, details: 'there is no such service here' });
        return;
      }
      void serving().then((state) => callback(null, { status: state }));
    },
    watch: (call: Watcher) => {
      if (watchers.size >= maxWatchers) {
        call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'too many watchers' });
        return;
      }
      watchers.set(call, 'SERVICE_UNKNOWN');
      call.on('cancelled', () => forget(call));
      call.on('error', () => forget(call));
      timer ??= setInterval(() => void tellAll(), watchInterval).unref();
      if (known.has(call.request.service)) void serving().then((state) => tell(call, state));
      else call.write({ status: 'SERVICE_UNKNOWN' });
    },
  });

  return {
    // A stream that stays open would hold the drain up.
    stop: () => {
      for (const watcher of [...watchers.keys()]) {
        watcher.end();
        forget(watcher);
      }
    },
  };
}
