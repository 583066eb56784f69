import { fileURLToPath } from 'node:url';
import type { Server } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';

/**
 * Server reflection (v1 and v1alpha), for people with grpcurl: what `proto/` says. Off unless
 * `EXTAUTHZ_GRPC_REFLECTION` asks for it: Envoy has no use for it.
 */
export function addReflectionService(server: Server, serviceNames: readonly string[]): void {
  const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
    includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
    keepCase: true,
  });
  new ReflectionService(definition, { services: [...serviceNames] }).addToServer(server);
}
