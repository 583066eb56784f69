import { describe, expect, it } from '@jest/globals';
import { wholeResponse } from '../../../session-gateway/src/http/whole-response.js';

const init = { status: 400, statusText: 'Bad', headers: { 'Content-Type': 'application/json' } };

describe('wholeResponse', () => {
  it('reads like the platform’s own Response, also as a clone', async () => {
    const text = '\uFEFF{"error":"über"}';
    const own = new Response(text, init);
    const whole = wholeResponse(Buffer.from(text), init);

    for (const one of [whole, whole.clone()]) {
      expect(one).toBeInstanceOf(Response);
      expect(one).toMatchObject({ status: own.status, statusText: own.statusText, ok: own.ok });
      expect([...one.headers]).toEqual([...own.headers]);
      expect(await one.text()).toBe(await own.clone().text());
      expect(await one.json()).toEqual(await own.clone().json());
      expect(Buffer.from(await one.arrayBuffer())).toEqual(Buffer.from(text));
      expect(await (await one.blob()).text()).toBe(await (await own.clone().blob()).text());
    }
  });

  it('says that text is no JSON', async () => {
    const answer = wholeResponse(Buffer.from('<html>'), init);

    await expect(answer.json()).rejects.toHaveProperty('name', 'SyntaxError');
  });
});
