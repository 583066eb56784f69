import type { Server as HttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { outboundCall } from '../../../session-gateway/src/http/outbound-call.js';
import { isCertificateAlert } from '../../../session-gateway/src/oidc/certificate-alert.js';
import { idpFetch } from '../../../session-gateway/src/oidc/idp-fetch.js';
import { certificateAuthority } from '../../support/certificates.js';
import { shownBy, tlsServer } from '../../support/idp-tls.js';

const authority = certificateAuthority('authority');
const contextOf = (name: string): SecureContext =>
  createSecureContext({ ...authority.issue({ name }), ca: authority.cert });

let server: HttpsServer | Server | undefined;
afterEach(() => {
  server?.close();
  if (server !== undefined && 'closeAllConnections' in server) server.closeAllConnections();
});

async function listening(started: HttpsServer | Server): Promise<string> {
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${String((started.address() as AddressInfo).port)}/`;
}

interface Seen {
  readonly name: string | undefined;
  readonly port: number | undefined;
  readonly isResumed: boolean;
}

async function noting(closes = false): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const started = tlsServer({ authority }, true);
  started.on('request', ({ socket }, response) => {
    seen.push({ port: socket.remotePort, ...shownBy(socket) });
    if (closes) response.setHeader('connection', 'close');
    response.end('ok');
  });
  return { url: `https://${await listening(started)}`, seen };
}

describe('outboundCall with a client certificate', () => {
  it('keeps a connection for each certificate, and shares none', async () => {
    const { url, seen } = await noting();
    const [one, two] = [contextOf('one'), contextOf('two')];
    for (const certificate of [one, two, one, two]) await outboundCall(url, { certificate }, 100);

    expect(seen.map(({ name }) => name)).toEqual(['one', 'two', 'one', 'two']);
    expect(new Set(seen.map(({ port }) => port)).size).toBe(2);
  });

  it('resumes no TLS session: a new connection proves the key anew', async () => {
    const { url, seen } = await noting(true);
    const certificate = contextOf('one');
    for (let call = 0; call < 3; call += 1) await outboundCall(url, { certificate }, 100);

    expect(new Set(seen.map(({ port }) => port)).size).toBe(3);
    expect(seen.map(({ isResumed }) => isResumed)).toEqual([false, false, false]);
  });

  it('is not made in plain text', () => {
    const certificate = contextOf('one');
    expect(() => outboundCall('http://127.0.0.1:1/', { certificate }, 100)).toThrow('needs https');
  });

  it('verifies the other side as ever', async () => {
    const { url } = await noting();
    const certificate = createSecureContext(authority.issue({ name: 'one' }));
    await expect(outboundCall(url, { certificate }, 100)).rejects.toHaveProperty(
      'code',
      'SELF_SIGNED_CERT_IN_CHAIN',
    );
  });
});

describe('idpFetch with a client certificate', () => {
  /** A server that answers the handshake with this alert (RFC 8446 §6). */
  async function alerting(alert: number): Promise<string> {
    const started = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, alert])));
    });
    return `https://${await listening(started)}`;
  }

  it.each([
    ['bad_certificate', 42],
    ['unsupported_certificate', 43],
    ['certificate_revoked', 44],
    ['certificate_expired', 45],
    ['certificate_unknown', 46],
    ['unknown_ca', 48],
    ['access_denied', 49],
    ['decrypt_error', 51],
    ['certificate_required', 116],
  ])('takes the alert %s for a mistake of the registration, not for an outage', async (_, code) => {
    const url = await alerting(code);
    const fetch = idpFetch({ certificate: () => contextOf('one') });
    await expect(fetch(url, {})).rejects.toMatchObject({
      code: 'idp_unsuitable',
      detail: 'client_certificate',
    });
  });

  it.each([
    ['handshake_failure', 40],
    ['internal_error', 80],
  ])('takes the alert %s for an outage', async (_, code) => {
    const url = await alerting(code);
    const fetch = idpFetch({ certificate: () => contextOf('one') });
    await expect(fetch(url, {})).rejects.toMatchObject({ code: 'idp_unreachable' });
  });

  // As Node says it when the handshake was over on our side (TLS 1.3; `openssl s_server -Verify`).
  it.each([
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', true],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', true],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', true],
    ['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', false],
    ['CERT_HAS_EXPIRED', false],
    ['ECONNRESET', false],
  ])('reads %s rightly', (code, expected) => {
    expect(
      isCertificateAlert(Object.assign(new Error('alert certificate expired'), { code })),
    ).toBe(expected);
  });

  it('takes no alert for its certificate where it showed none', async () => {
    const url = await alerting(48);
    await expect(idpFetch()(url, {})).rejects.toMatchObject({ code: 'idp_unreachable' });
  });
});
