import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { redisServerOnPath } from '@sallyport/demo/parts/redis-server';
import type { SessionId } from '@sallyport/shared';
import { certificateAuthority, type Certificate } from '../../support/certificates.js';
import { startFailureRig, type FailureRig } from '../../support/failure-rig.js';
import { until } from '../../support/until.js';

const onPath = await redisServerOnPath();
const hasTls = onPath !== undefined && onPath.version[0] >= 7;
const yesterday = new Date(Date.now() - 86_400_000);

(hasTls ? describe : describe.skip)(
  `Redis over TLS${hasTls ? '' : ' (skipped: no redis-server 7 on PATH)'}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
    const path = (name: string) => join(folder, `${name}.pem`);
    const put = (name: string, { cert, key }: Certificate): void => {
      writeFileSync(path(`${name}-cert`), cert);
      writeFileSync(path(`${name}-key`), key, { mode: 0o600 });
    };
    const authority = certificateAuthority();
    const good = authority.issue();
    const client = authority.issue({ name: 'extauthz' });
    let rig: FailureRig;

    beforeAll(async () => {
      put('server', good);
      put('client', client);
      writeFileSync(path('ca'), authority.cert);
      rig = await startFailureRig({
        redis: {
          tls: {
            cert: path('server-cert'),
            key: path('server-key'),
            ca: path('ca'),
            clientCertificate: 'required',
          },
        },
        adminTls: { ca: authority.cert, ...authority.issue({ name: 'admin' }) },
        env: () => ({
          REDIS_TLS: 'true',
          REDIS_CA_CERT: path('ca'),
          REDIS_CLIENT_CERT: path('client-cert'),
          REDIS_CLIENT_KEY: path('client-key'),
        }),
      });
    });
    afterEach(() => {
      // On the wire: a handshake first (RFC 8446 §5.1), and never a command.
      for (const { sent } of rig.proxy.allConnections()) {
        if (sent() === '') continue;
        expect(sent().slice(0, 2)).toBe('\x16\x03');
        expect(sent()).not.toMatch(/\*\d+\r\n\$\d+\r\n/);
      }
    });
    afterAll(async () => {
      await rig.close();
      rmSync(folder, { recursive: true });
    });

    const serve = async (certificate: Certificate, ca = authority): Promise<void> => {
      put('server', certificate);
      writeFileSync(path('server-ca'), ca.cert);
      await rig.admin.call(
        'CONFIG',
        'SET',
        ...['tls-cert-file', path('server-cert'), 'tls-key-file', path('server-key')],
        ...['tls-ca-cert-file', path('server-ca')],
      );
      // A certificate is looked at when a connection begins.
      rig.proxy.connections().forEach((connection) => connection.destroy());
    };
    const isConnected = async (): Promise<boolean> =>
      (await rig.metric('extauthz_cache_trusted')) === 1 && (await rig.isReady());
    const reconnected = (): Promise<void> => until(isConnected);
    /** Asks until it is 503; where both connections are back instead, it never will be. */
    const refuses = async (id: SessionId): Promise<void> => {
      const attempts = () => rig.proxy.allConnections().length;
      const before = attempts();
      await until(async () => {
        const now = await rig.statuses(id);
        for (const status of now) expect([200, 503]).toContain(status);
        if (now.every((status) => status === 503)) return true;
        return attempts() > before + 1 && (await isConnected());
      });
      expect(await rig.statuses(id)).toEqual([503, 503]);
    };

    it('decides over mutual TLS', async () => {
      await rig.turn(await rig.write(), 200, []);
      await reconnected();
      expect(rig.proxy.allConnections().length).toBeGreaterThanOrEqual(2);
    });

    it.each([
      ['that has expired', authority.issue({ notAfter: yesterday, notBefore: new Date(0) })],
      ['of another host', authority.issue({ hosts: ['redis.example', '192.0.2.1'] })],
      ['of another authority', certificateAuthority().issue()],
    ])('answers 503 to a server certificate %s, and goes on with a good one', async (_, bad) => {
      const [id, unseen] = [await rig.write(), await rig.write()];
      await rig.turn(id, 200);
      await serve(bad);
      await refuses(id);
      await rig.turn(unseen, 503, []);
      await until(async () => !(await rig.isReady()));
      await serve(authority.issue());
      await rig.turn(id, 200);
      await reconnected();
    });

    it('takes up a new authority from its file', async () => {
      const id = await rig.write();
      const next = certificateAuthority('the next CA');
      await serve(next.issue());
      await refuses(id);
      writeFileSync(path('ca'), authority.cert + next.cert);
      await rig.turn(id, 200);
      await reconnected();
      await serve(good);
      await rig.turn(id, 200);
    });

    it('takes up a new client certificate, and survives the moment when only half of it is there', async () => {
      const id = await rig.write();
      const next = certificateAuthority('the next client CA');
      const renewed = next.issue({ name: 'extauthz' });
      // From now on Redis trusts only clients of the next authority.
      await serve(good, next);
      await rig.turn(id, 503);
      writeFileSync(path('client-cert'), renewed.cert);
      // Long enough for several attempts with a certificate that is not the key's.
      const attempts = rig.proxy.allConnections().length + 6;
      await until(() => rig.proxy.allConnections().length > attempts);
      expect(await rig.statuses(id)).toEqual([503, 503]);
      writeFileSync(path('client-key'), renewed.key);
      await rig.turn(id, 200);
      await reconnected();
    });
  },
);
