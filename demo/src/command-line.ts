import { parseArgs } from 'node:util';
import type { Mode } from './envoy-process.js';
import { portTable } from './ports.js';

export type Command =
  | { readonly kind: 'run'; readonly mode: Mode; readonly smoke: boolean }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly reason: string };

export function readCommandLine(args: readonly string[]): Command {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        http: { type: 'boolean', default: false },
        grpc: { type: 'boolean', default: false },
        smoke: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    if (values.http && values.grpc) {
      return { kind: 'refused', reason: 'Choose one of --http and --grpc.' };
    }
    return { kind: 'run', mode: values.grpc ? 'grpc' : 'http', smoke: values.smoke };
  } catch (error) {
    return { kind: 'refused', reason: (error as Error).message };
  }
}

export function helpText(): string {
  const ports = Object.values(portTable).map(
    ([what, usual, variable]) => `  ${variable.padEnd(30)} ${String(usual).padEnd(6)} ${what}`,
  );
  return `npm start [-- options]: Sallyport on this machine, with real parts.

  --http    Envoy asks extauthz over HTTP (the default)
  --grpc    Envoy asks extauthz over gRPC
  --smoke   bring all up on free ports, walk through a login, print a table, exit 0 or 1
  --help    this text

Variables, with their defaults:
${ports.join('\n')}
  ENVOY_BIN                             an envoy executable
  REDIS_SERVER_BIN                      a redis-server executable, 6.2 or newer
  LOG_LEVEL                      info   of both services
`;
}
