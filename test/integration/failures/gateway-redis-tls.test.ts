import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { answersOk } from '@sallyport/demo/readiness';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import { Redis } from 'ioredis';
import { certificateAuthority, type Certificate } from '../../support/certificates.js';
import {
  gatewayBinary,
  gatewayEnv,
  startGatewayStack,
  type GatewayStack,
} from '../../support/gateway.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';
import { redisHasTls } from '../../support/tls-files.js';
import { until } from '../../support/until.js';

const yesterday = new Date(Date.now() - 86_400_000);
const authority = certificateAuthority();
const expired = authority.issue({ notAfter: yesterday, notBefore: new Date(0) });
const ofAnotherHost = authority.issue({ hosts: ['redis.example', '192.0.2.1'] });
const ofAnotherAuthority = certificateAuthority('another CA').issue();

(redisHasTls ? describe : describe.skip)(
  `the gateway with Redis over TLS${redisHasTls ? '' : ' (skipped: no redis-server 7 on PATH)'}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-gateway-tls-'));
    const path = (name: string) => join(folder, `${name}.pem`);
    const put = ({ cert, key }: Certificate): void => {
      writeFileSync(path('server-cert'), cert);
      writeFileSync(path('server-key'), key, { mode: 0o600 });
    };
    let redis: RedisProcess;
    let plain: RedisProcess;
    let admin: Redis;
    let proxy: TcpProxy;
    let child: ChildProcess | undefined;
    const env = (): Record<string, string> => ({
      REDIS_PORT: String(proxy.port),
      REDIS_TLS: 'true',
      REDIS_CA_CERT: path('ca'),
    });

    beforeAll(async () => {
      put(authority.issue());
      writeFileSync(path('ca'), authority.cert);
      redis = await startRedis({
        directory: join(folder, 'redis'),
        appendOnly: true,
        tls: {
          cert: path('server-cert'),
          key: path('server-key'),
          ca: path('ca'),
          clientCertificate: 'optional',
        },
      });
      plain = await startRedis({ directory: join(folder, 'plain'), appendOnly: true });
      admin = new Redis(redis.port, '127.0.0.1', { tls: { ca: authority.cert } });
      // It too is refused while the certificate is bad.
      admin.on('error', () => undefined);
      proxy = await startTcpProxy(redis.port);
    });
    afterEach(() => {
      child?.kill('SIGKILL');
      proxy.retarget(redis.port);
      // On the wire: a handshake first (RFC 8446 §5.1), and never a command.
      for (const { sent } of proxy.allConnections()) {
        if (sent() === '') continue;
        expect(sent().slice(0, 2)).toBe('\x16\x03');
        expect(sent()).not.toMatch(/\*\d+\r\n\$\d+\r\n/);
      }
    });
    afterAll(async () => {
      admin.disconnect();
      await proxy.close();
      await Promise.all([redis.kill(), plain.kill()]);
      rmSync(folder, { recursive: true });
    });
    const serve = async (certificate: Certificate): Promise<void> => {
      put(certificate);
      await admin.call(
        'CONFIG',
        'SET',
        ...['tls-cert-file', path('server-cert'), 'tls-key-file', path('server-key')],
      );
      // A certificate is looked at when a connection begins.
      proxy.connections().forEach((connection) => connection.destroy());
    };
    /** The built binary until it gives up, or starts after all. */
    const start = (patience = '3000'): Promise<{ code: number | null; out: string }> =>
      new Promise((resolve) => {
        const started = spawn(process.execPath, [gatewayBinary], {
          env: {
            ...gatewayEnv('http://localhost:1', 'http://127.0.0.1:1', 'http://127.0.0.1:1'),
            ...env(),
            GATEWAY_PORT: '0',
            GATEWAY_MANAGEMENT_PORT: '0',
            GATEWAY_REDIS_PATIENCE_MS: patience,
          },
        });
        let out = '';
        child = started;
        const hear = (chunk: Buffer): void => {
          out += chunk.toString();
          if (out.includes('"msg":"ready"')) started.kill('SIGKILL');
        };
        started.stdout.on('data', hear);
        started.stderr.on('data', hear);
        started.once('close', (code) => resolve({ code, out }));
      });
    const attempts = () => proxy.allConnections().length;

    it.each([
      ['that has expired', expired, 'certificate has expired. Give Redis a new certificate.'],
      ['of another host', ofAnotherHost, '192.0.2.1. Reach Redis by a name of its certificate'],
      ['of another authority', ofAnotherAuthority, 'first certificate. Point REDIS_CA_CERT at'],
    ])('does not start on a server certificate %s, and says why', async (_what, bad, why) => {
      await serve(bad);
      const before = attempts();
      try {
        const { code, out } = await start('1000');
        expect(code).toBe(1);
        expect(out).toMatch(/Redis gave no answer for 1 s: /);
        expect(out.slice(out.indexOf('Redis gave no answer'))).toContain(why);
        expect(attempts()).toBeGreaterThan(before);
      } finally {
        await serve(authority.issue());
      }
    });

    it('does not start on a server that speaks no TLS, and tells it nothing', async () => {
      proxy.retarget(plain.port);
      const before = attempts();
      const { code, out } = await start();
      expect(code).toBe(1);
      expect(out).toMatch(/Redis gave no answer for 3 s: .*REDIS_TLS/);
      expect(attempts()).toBeGreaterThan(before);
    });

    describe('that was good at the start', () => {
      let stack: GatewayStack;
      beforeAll(async () => {
        stack = await startGatewayStack({ writerEnv: env() });
      });
      afterAll(() => stack.close());
      const isReady = () => answersOk(`${stack.managementOrigin}/readyz`);
      /**
       * A link that only broke is back with the first attempt: not ready for that moment proves nothing.
       * One that is back has not been refused, and will not be.
       */
      const refusedAgain = (): Promise<void> => {
        const before = attempts();
        return until(
          async () => attempts() > before + 2 || (attempts() > before && (await isReady())),
        );
      };

      it.each([
        ['expires', expired],
        ['is of another host', ofAnotherHost],
        ['is of another authority', ofAnotherAuthority],
      ])('is not ready while the certificate %s, and keeps the sessions', async (_what, bad) => {
        const browser = await stack.login();
        const user = async () => (await browser.visit(`${stack.origin}/user`)).status;
        await serve(bad);
        await refusedAgain();
        expect([await isReady(), await user()]).toEqual([false, 503]);
        await serve(authority.issue());
        await until(isReady);
        expect(await user()).toBe(200);
      });

      it('is not ready on a server without TLS, and falls back to nothing', async () => {
        await until(isReady);
        proxy.retarget(plain.port);
        proxy.connections().forEach((connection) => connection.destroy());
        await refusedAgain();
        expect(await isReady()).toBe(false);
      });
    });
  },
);
