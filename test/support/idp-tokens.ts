import type { ServerResponse } from 'node:http';
import type { TestIdp } from './idp.js';

type TokenAnswer = Readonly<Record<string, unknown>>;

/** An interceptor that lets the provider answer at its token endpoint, and changes what it says. */
export function changingTokens(
  change: (answer: TokenAnswer) => TokenAnswer | Promise<TokenAnswer>,
): TestIdp['intercept'] {
  return (request, response) => {
    if (request.url === '/token') changeBody(response, change);
    return false;
  };
}

/** Only a success is changed. What the provider writes is JSON in one piece. */
function changeBody(
  response: ServerResponse,
  change: (answer: TokenAnswer) => TokenAnswer | Promise<TokenAnswer>,
): void {
  const end = response.end.bind(response) as (body: string) => void;
  response.end = ((body: unknown) => {
    if (response.statusCode !== 200) {
      end(String(body));
      return response;
    }
    void Promise.resolve(change(JSON.parse(String(body)) as TokenAnswer)).then((changed) => {
      const text = JSON.stringify(changed);
      response.setHeader('content-length', Buffer.byteLength(text));
      end(text);
    });
    return response;
  }) as ServerResponse['end'];
}
