import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { startEdge, type Edge } from '../support/envoy.js';
import { startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { rawRequest } from '../support/raw-http.js';

const patience = 60_000;
const publicOrigin = 'https://app.example.com';

describe.each(['http', 'grpc'] as const)(
  'a person without a session, through Envoy, %s',
  (mode) => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-people-'));
    let extauthz: ExtauthzProcess;
    let edge: Edge | undefined;

    beforeAll(async () => {
      const env = { REDIS_PORT: '1', PUBLIC_ORIGIN: publicOrigin, EXTAUTHZ_LOGIN_URL: '/login' };
      extauthz = await startExtauthz({ directory, env, ready: false });
      edge = await startEdge({ mode, directory, extauthz });
    }, patience);

    afterAll(async () => {
      await edge?.stop();
      await extauthz.child.stop();
      rmSync(directory, { recursive: true, force: true });
    }, patience);

    const open = (target: string, site: string, ...lines: string[]) =>
      rawRequest(edge?.port ?? 0, [
        `GET ${target} HTTP/1.1`,
        'Host: app.example.com',
        'Sec-Fetch-Mode: navigate',
        'Sec-Fetch-Dest: document',
        `Sec-Fetch-Site: ${site}`,
        ...lines,
      ]);

    it('is sent to the login, with the way back', async () => {
      const { status, headers } = await open('/api/report?a=b', 'none');
      const back = encodeURIComponent(`${publicOrigin}/api/report?a=b`);
      expect(status).toBe(302);
      expect(headers.get('location')).toBe(`${publicOrigin}/login?returnUrl=${back}`);
      expect(headers.get('set-cookie')).toMatch(`__Host-return=${back}; Max-Age=600;`);
      expect(headers.get('cache-control')).toBe('no-store');
    });

    it('who comes from another site is asked again once, then sent to the login', async () => {
      const first = await open('/api/report', 'cross-site');
      expect(first.status).toBe(401);
      expect(first.body).toContain(`content="0;url=${publicOrigin}/api/report?__bounce=1"`);
      expect(first.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(first.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(first.headers.get('cache-control')).toBe('no-store');
      expect((await open('/api/report?__bounce=1', 'cross-site')).status).toBe(302);
    });

    it('with two session cookies may clear them by a click', async () => {
      const cookies = `Cookie: __Host-session=${newSessionId()}; __Host-session=${newSessionId()}`;
      const page = await open('/api/report', 'none', cookies);
      expect(page.status).toBe(400);
      expect(page.body).toContain('href="?__clear=1"');
      expect(page.headers.has('clear-site-data')).toBe(false);
      const click = await open(
        '/api/report?__clear=1',
        'same-origin',
        'Sec-Fetch-User: ?1',
        cookies,
      );
      expect(click.status).toBe(400);
      expect(click.headers.get('clear-site-data')).toBe('"cookies"');
    });

    it('reaches no upstream by any of it', () => {
      expect(edge?.arrivals).toEqual([]);
    });
  },
);
