import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface Answer {
  readonly url: string;
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
}

export interface Question {
  readonly method?: string;
  /** Sent as they are: any case, any order, doubled if doubled. */
  readonly headers?: HeaderList;
  readonly body?: string;
  /** The authority of an https server, PEM. */
  readonly ca?: string;
}

/** One HTTP request and its answer, on a connection of its own; nothing is followed or added. */
export function exchange(url: URL | string, question: Question = {}): Promise<Answer> {
  const target = new URL(url);
  const headers = [['Host', target.host], ...(question.headers ?? [])];
  if (question.body !== undefined) {
    headers.push(['Content-Length', String(Buffer.byteLength(question.body))]);
  }
  return new Promise((resolve, reject) => {
    const outgoing = (target.protocol === 'https:' ? httpsRequest : httpRequest)(
      target,
      {
        method: question.method ?? 'GET',
        headers: headers.flat(),
        agent: false,
        timeout: 15_000,
        ...(question.ca === undefined ? {} : { ca: question.ca }),
        // `localhost` may also be ::1, where Envoy does not listen.
        ...(target.hostname === 'localhost' ? { family: 4 } : {}),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          resolve({
            url: target.href,
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          });
        });
      },
    );
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer from ${target.origin}`)));
    outgoing.once('error', reject);
    outgoing.end(question.body);
  });
}
