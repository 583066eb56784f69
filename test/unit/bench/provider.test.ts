import { createHash } from 'node:crypto';
import { freePort } from '@sallyport/demo/free-port';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { startProvider, type Provider } from '../../../bench/src/gateway/load/provider.js';

const client = { id: 'app', secret: 's%3A+x', redirectUri: 'https://shop.example/callback' };
const verifier = 'v'.repeat(43);
const challenge = createHash('sha256').update(verifier).digest('base64url');
let provider: Provider;

beforeAll(async () => {
  provider = await startProvider(await freePort(), [client]);
});

afterAll(() => provider.close());

const authorize = (): string => {
  const query = new URLSearchParams({
    client_id: client.id,
    redirect_uri: client.redirectUri,
    nonce: 'n',
    state: 's',
    code_challenge: challenge,
  });
  const callback = provider.authorize(`${provider.issuer}/authorize?${query.toString()}`, 'ada');
  return new URL(callback).searchParams.get('code') ?? '';
};
const token = async (form: Record<string, string>, secret = client.secret) => {
  const basic = Buffer.from(`${client.id}:${encodeURIComponent(secret)}`).toString('base64');
  const answer = await fetch(`${provider.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams(form),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, string> };
};
const codeGrant = (code: string, changed: Record<string, string> = {}) =>
  token({
    grant_type: 'authorization_code',
    code,
    redirect_uri: client.redirectUri,
    code_verifier: verifier,
    ...changed,
  });

describe('the provider of the benchmark', () => {
  it('signs ID tokens with its published key', async () => {
    const { body } = await codeGrant(authorize());
    const keys = createRemoteJWKSet(new URL(`${provider.issuer}/jwks`));

    const { payload } = await jwtVerify(body['id_token'] ?? '', keys, {
      issuer: provider.issuer,
      audience: client.id,
    });
    expect(payload).toMatchObject({ sub: 'ada', nonce: 'n' });
  });

  it('takes a code once', async () => {
    const code = authorize();

    expect((await codeGrant(code)).status).toBe(200);
    expect(await codeGrant(code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  it.each([
    ['another verifier', { code_verifier: 'w'.repeat(43) }],
    ['another redirect URI', { redirect_uri: 'https://shop.example/other' }],
  ])('refuses a code with %s', async (_what, changed) => {
    expect(await codeGrant(authorize(), changed)).toMatchObject({ status: 400 });
  });

  it('refuses a wrong secret', async () => {
    const refused = await token({ grant_type: 'refresh_token', refresh_token: 'x' }, 'wrong');

    expect(refused.body).toEqual({ error: 'invalid_client' });
  });

  it('rotates refresh tokens, and takes each once', async () => {
    const { body } = await codeGrant(authorize());
    const form = { grant_type: 'refresh_token', refresh_token: body['refresh_token'] ?? '' };

    const next = await token(form);
    expect(next.status).toBe(200);
    expect(next.body['refresh_token']).not.toBe(form.refresh_token);
    expect((await token(form)).status).toBe(400);
  });
});
