import { experimental, ServerCredentials } from '@grpc/grpc-js';
import type { Certificate, Certificates } from '../certificates.js';

/** Plain text, or TLS whose certificate follows `certificates` without a restart. */
export function serverCredentials(certificates: Certificates | undefined): ServerCredentials {
  if (certificates === undefined) return ServerCredentials.createInsecure();
  const provider = new Provider(certificates);
  // grpc-js names the parameters the other way round: the first is the identity's (1.14.7).
  return experimental.createCertificateProviderServerCredentials(
    provider,
    certificates.mutual ? provider : null,
    certificates.mutual,
  );
}

class Provider implements experimental.CertificateProvider {
  readonly #identity = new Set<experimental.IdentityCertificateUpdateListener>();
  readonly #authority = new Set<experimental.CaCertificateUpdateListener>();
  readonly #certificates: Certificates;

  constructor(certificates: Certificates) {
    this.#certificates = certificates;
    certificates.onChange((certificate) => {
      for (const listener of this.#authority) listener(authorityOf(certificate));
      for (const listener of this.#identity) listener(identityOf(certificate));
    });
  }

  // grpc-js only registers its own watcher after this call: an update from within would be lost.
  addIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#identity.add(listener);
    process.nextTick(() => listener(identityOf(this.#certificates.current())));
  }

  removeIdentityCertificateListener(
    listener: experimental.IdentityCertificateUpdateListener,
  ): void {
    this.#identity.delete(listener);
  }

  addCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    this.#authority.add(listener);
    process.nextTick(() => listener(authorityOf(this.#certificates.current())));
  }

  removeCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    this.#authority.delete(listener);
  }
}

function identityOf({ cert, key }: Certificate): experimental.IdentityCertificateUpdate {
  return { certificate: cert, privateKey: key };
}

/** Null makes grpc-js drop every connection: without an authority nobody can be verified. */
function authorityOf({ ca }: Certificate): experimental.CaCertificateUpdate | null {
  return ca === undefined ? null : { caCertificate: ca };
}
