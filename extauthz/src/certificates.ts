import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Unit } from '@sallyport/shared/runtime';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  /** Whoever asks must show a certificate of this authority (mutual TLS). */
  readonly clientCa?: string;
}

export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

export interface Certificates extends Unit {
  readonly mutual: boolean;
  /** @throws before `start` */
  current(): Certificate;
  onChange(listener: (certificate: Certificate) => void): void;
}

/**
 * The listeners' certificate, read again and again: what mounts secrets swaps links, which file
 * events miss. A pair that does not fit (caught in the middle of a rotation) changes nothing.
 */
export function certificates(
  files: CertificateFiles,
  options: { readonly interval: number; readonly onLoad: (error?: Error) => void },
): Certificates {
  const listeners: ((certificate: Certificate) => void)[] = [];
  let loaded: Certificate | undefined;
  let failure = '';
  let timer: NodeJS.Timeout | undefined;

  const reload = async (): Promise<void> => {
    try {
      const next = await readCertificate(files);
      failure = '';
      if (loaded !== undefined && same(loaded, next)) return;
      loaded = next;
      for (const listener of listeners) listener(next);
      options.onLoad();
    } catch (error) {
      const { message } = error as Error;
      if (message !== failure) options.onLoad(error as Error);
      failure = message;
    }
  };

  return {
    name: 'certificates',
    mutual: files.clientCa !== undefined,
    current: () => {
      if (loaded === undefined) throw new Error('the certificate has not been read yet');
      return loaded;
    },
    onChange: (listener) => void listeners.push(listener),
    start: async () => {
      loaded = await readCertificate(files);
      options.onLoad();
      timer = setInterval(() => void reload(), options.interval).unref();
    },
    stop: () => {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}

/** @throws where a file cannot be read or the key is not the certificate's */
export async function readCertificate(files: CertificateFiles): Promise<Certificate> {
  const [cert, key, ca] = await Promise.all([
    readFile(files.cert),
    readFile(files.key),
    files.clientCa === undefined ? undefined : readFile(files.clientCa),
  ]);
  const certificate = { cert, key, ...(ca === undefined ? {} : { ca }) };
  createSecureContext(certificate);
  if (ca !== undefined) checkAuthority(ca);
  return certificate;
}

/** Under each of the names that OpenSSL takes. */
const pemCertificate =
  /-----BEGIN (X509 |TRUSTED |)CERTIFICATE-----[^-]+-----END \1CERTIFICATE-----/g;

/** Node passes over what is no certificate, and then trusts nobody. @throws */
function checkAuthority(text: Buffer): void {
  const found = text.toString('latin1').match(pemCertificate) ?? [];
  if (found.length === 0) throw new Error('the file of the client authority has no certificate');
  for (const one of found) new X509Certificate(one);
}

function same(a: Certificate, b: Certificate): boolean {
  return (
    a.cert.equals(b.cert) &&
    a.key.equals(b.key) &&
    (a.ca === undefined || b.ca === undefined ? a.ca === b.ca : a.ca.equals(b.ca))
  );
}
