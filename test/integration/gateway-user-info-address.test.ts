import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { changingAnswers, discoveryPath } from '../support/idp-answers.js';
import { idpClient } from '../support/idp.js';
import { answerText } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';

const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

describeOnRedis(
  '6.2',
  'a provider that spells the address of UserInfo its own way',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      const unusual = changingAnswers(discoveryPath, (document) => ({
        ...document,
        userinfo_endpoint: String(document['userinfo_endpoint'])
          .replace('http://', 'HTTP://')
          .replace('/me', '/about/../me'),
      }));
      stack = await startGatewayStack(redis(), {}, unusual);
    });
    afterAll(() => stack.close());

    it.each<[string, () => KeyObject, boolean]>([
      ['its own', () => stack.idp.privateKey, true],
      ['somebody else’s', () => foreign, false],
    ])('is believed only by its signature: %s', async (_whose, key, accepted) => {
      const jwt = await new SignJWT({ name: 'Mallory' })
        .setProtectedHeader({ alg: 'RS256', kid: stack.idp.keyId })
        .setIssuer(stack.idp.issuer)
        .setAudience(idpClient.id)
        .setSubject('auth0|ada')
        .sign(key());
      let asked = 0;
      stack.idp.intercept = (request, response) => {
        if (request.url !== '/me') return false;
        asked += 1;
        answerText(200, jwt, { 'content-type': 'application/jwt' })(request, response);
        return true;
      };
      const browser = new BrowserJar();
      const answer = await browser.visit(await stack.beginLogin(browser), { site: 'cross-site' });
      expect(asked).toBe(1);
      expect(setCookies(answer).join().includes('__Host-session=')).toBe(accepted);
    });
  },
  { appendOnly: true },
);
