import type { ServerResponse } from 'node:http';
import type { TestIdp } from './idp.js';

type JsonAnswer = Readonly<Record<string, unknown>>;
type ChangeAnswer = (answer: JsonAnswer) => JsonAnswer | Promise<JsonAnswer>;

/** An interceptor that lets the provider answer at this path, and changes what it says. */
export function changingAnswers(path: string, change: ChangeAnswer): TestIdp['intercept'] {
  return (request, response) => {
    if (request.url === path) changeBody(response, change);
    return false;
  };
}

export function changingTokens(change: ChangeAnswer): TestIdp['intercept'] {
  return changingAnswers('/token', change);
}

export const discoveryPath = '/.well-known/openid-configuration';

/** Only a success is changed. What the provider writes is JSON in one piece. */
function changeBody(response: ServerResponse, change: ChangeAnswer): void {
  const end = response.end.bind(response) as (body: string) => void;
  response.end = ((body: unknown) => {
    if (response.statusCode !== 200) {
      end(String(body));
      return response;
    }
    void changed(String(body), change).then((text) => {
      response.setHeader('content-length', Buffer.byteLength(text));
      end(text);
    });
    return response;
  }) as ServerResponse['end'];
}

async function changed(body: string, change: ChangeAnswer): Promise<string> {
  try {
    return JSON.stringify(await change(JSON.parse(body) as JsonAnswer));
  } catch (error) {
    // The test's own mistake: it fails by what the gateway makes of this.
    return `not changed: ${String(error)}`;
  }
}
