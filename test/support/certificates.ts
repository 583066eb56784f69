import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

/** In PEM form. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  readonly name?: string;
  /** Names and addresses it is good for; left out: those of this machine. */
  readonly hosts?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface CertificateAuthority extends Certificate {
  /** For servers and clients alike. */
  issue(options?: CertificateOptions): Certificate;
}

const day = 86_400_000;
const localHosts = ['localhost', '127.0.0.1', '::1'];

/** An authority of a test's own (X.509 v3, P-256), made without any program or package. */
export function certificateAuthority(name = 'Sallyport test CA'): CertificateAuthority {
  const own = keyPair();
  const issuer = { name, key: own.privateKey };
  const ca = { subject: name, publicKey: own.publicKey, extensions: [basicConstraints(true)] };
  return {
    cert: certificate({ ...ca, issuer, validity: validity() }),
    key: pem(own.privateKey),
    issue: ({ name: subject = 'localhost', hosts = localHosts, notBefore, notAfter } = {}) => {
      const pair = keyPair();
      const cert = certificate({
        subject,
        publicKey: pair.publicKey,
        issuer,
        validity: validity(notBefore, notAfter),
        extensions: [basicConstraints(false), alternativeNames(hosts)],
      });
      return { cert, key: pem(pair.privateKey) };
    },
  };
}

interface Contents {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly issuer: { readonly name: string; readonly key: KeyObject };
  readonly validity: Buffer;
  readonly extensions: readonly Buffer[];
}

/** RFC 5280 §4.1 */
function certificate({ subject, publicKey, issuer, validity, extensions }: Contents): string {
  const toBeSigned = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(positive(randomBytes(16))),
    ecdsaWithSha256,
    distinguishedName(issuer.name),
    validity,
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', toBeSigned, issuer.key);
  const der = sequence(toBeSigned, ecdsaWithSha256, bitString(signature));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function keyPair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function validity(
  notBefore = new Date(Date.now() - day),
  notAfter = new Date(Date.now() + day),
): Buffer {
  return sequence(time(notBefore), time(notAfter));
}

/** UTCTime: good until 2049. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return tagged(0x17, Buffer.from(`${digits}Z`, 'ascii'));
}

function distinguishedName(name: string): Buffer {
  const commonName = sequence(oid(0x55, 0x04, 0x03), tagged(0x0c, Buffer.from(name, 'utf8')));
  return sequence(tagged(0x31, commonName));
}

function basicConstraints(isAuthority: boolean): Buffer {
  const value = isAuthority ? sequence(tagged(0x01, Buffer.from([0xff]))) : sequence();
  const critical = tagged(0x01, Buffer.from([0xff]));
  return sequence(oid(0x55, 0x1d, 0x13), critical, tagged(0x04, value));
}

function alternativeNames(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) =>
    isIP(host) === 0 ? tagged(0x82, Buffer.from(host, 'ascii')) : tagged(0x87, address(host)),
  );
  return sequence(oid(0x55, 0x1d, 0x11), tagged(0x04, sequence(...names)));
}

function address(host: string): Buffer {
  if (isIP(host) === 4) return Buffer.from(host.split('.').map(Number));
  if (host === '::1') return Buffer.concat([Buffer.alloc(15), Buffer.from([1])]);
  throw new Error(`no encoding for ${host}`);
}

// DER, as little of it as a certificate needs.

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

function positive(bytes: Buffer): Buffer {
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return bytes;
}

function bitString(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.from([0]), bytes);
}

/** Its encoded bytes, not its arcs. */
function oid(...bytes: readonly number[]): Buffer {
  return tagged(0x06, Buffer.from(bytes));
}

/** 1.2.840.10045.4.3.2 */
const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
