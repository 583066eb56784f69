import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

/** Throw-away certificates (RFC 5280) written in DER by hand: no tool has to be installed for tests. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
  readonly name: string;
  readonly privateKey: KeyObject;
}

/** An authority, if nobody issues it; else a certificate for localhost and 127.0.0.1. */
export function issue(name: string, issuer?: Issued): Issued {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(oid([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
  const year = (offset: number): Buffer =>
    tlv(0x18, Buffer.from(`${String(new Date().getUTCFullYear() + offset)}0101000000Z`));
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguished(issuer?.name ?? name),
    sequence(year(-1), year(2)),
    distinguished(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensions(issuer === undefined))),
  );
  const signature = sign('sha256', body, issuer?.privateKey ?? privateKey);
  const der = sequence(body, algorithm, tlv(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    name,
    privateKey,
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

function extensions(authority: boolean): Buffer[] {
  const yes = tlv(0x01, Buffer.from([0xff]));
  if (authority) {
    return [
      sequence(oid([0x55, 0x1d, 0x13]), yes, tlv(0x04, sequence(yes))),
      sequence(oid([0x55, 0x1d, 0x0f]), yes, tlv(0x04, tlv(0x03, Buffer.from([1, 0x06])))),
    ];
  }
  const names = sequence(
    tlv(0x82, Buffer.from('localhost')),
    tlv(0x87, Buffer.from([127, 0, 0, 1])),
  );
  return [sequence(oid([0x55, 0x1d, 0x11]), tlv(0x04, names))];
}

function distinguished(name: string): Buffer {
  const common = sequence(oid([0x55, 0x04, 0x03]), tlv(0x0c, Buffer.from(name)));
  return sequence(tlv(0x31, common));
}

function tlv(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: Buffer[]): Buffer => tlv(0x30, Buffer.concat(parts));
const oid = (bytes: number[]): Buffer => tlv(0x06, Buffer.from(bytes));
const integer = (bytes: Buffer): Buffer => tlv(0x02, bytes);
