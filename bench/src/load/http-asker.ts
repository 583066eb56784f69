import { connect, type Socket } from 'node:net';
import { noAnswer, type Asker, type CheckAnswer, type Target } from './asker.js';

/** What Envoy forwards of a browser's request in HTTP mode; the id's 43 characters come in at `%`. */
function requestText({ cookieName, path }: Target): readonly [before: string, after: string] {
  const [before = '', after = ''] = [
    `GET ${path} HTTP/1.1`,
    'host: shop.example',
    `cookie: theme=dark; ${cookieName}=%; locale=en-GB`,
    'accept: application/json, text/plain, */*',
    'sec-fetch-mode: cors',
    'sec-fetch-site: same-origin',
    'sec-fetch-dest: empty',
    'x-request-id: 6f1d1b3e-6f7e-4d0a-9c55-0b7f4a1b2c3d',
    'x-forwarded-for: 192.0.2.10',
    'content-length: 0',
    '\r\n',
  ]
    .join('\r\n')
    .split('%');
  return [before, after];
}

/**
 * One keep-alive connection, one request at a time, on a bare socket: node:http's own client would
 * take more of the two cores than the service it measures. A lost connection answers `noAnswer` and
 * the next check opens another.
 */
export function httpAsker(target: Target): Asker {
  const [before, after] = requestText(target);
  let socket: Socket | undefined;
  let pending: ((answer: CheckAnswer) => void) | undefined;
  let received = '';

  const settle = (answer: CheckAnswer): void => {
    const done = pending;
    pending = undefined;
    done?.(answer);
  };
  const open = (): Socket => {
    const opened = connect({ port: target.port, host: '127.0.0.1', noDelay: true });
    received = '';
    opened.setEncoding('latin1');
    opened.on('error', () => opened.destroy());
    opened.on('close', () => {
      if (socket !== opened) return;
      socket = undefined;
      settle(noAnswer);
    });
    opened.on('data', (text: string) => {
      received = received === '' ? text : received + text;
      const answer = completeAnswer(received, target.userHeader);
      if (answer === undefined) return;
      const closes = /\r\nconnection: close\r\n/i.test(received);
      received = '';
      if (closes) {
        socket = undefined;
        opened.destroy();
      }
      settle(answer);
    });
    return opened;
  };
  return {
    slots: 1,
    send: (sessionId, done) => {
      pending = done;
      socket ??= open();
      socket.write(before + sessionId + after, 'latin1');
    },
    close: () => {
      const open = socket;
      socket = undefined;
      open?.destroy();
      settle(noAnswer);
    },
  };
}

/** The answer once all of it is here. @throws Error on a framing this reader does not know. */
function completeAnswer(text: string, userHeader: string): CheckAnswer | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const head = text.slice(0, headEnd).toLowerCase();
  const length = headerOf(head, 'content-length');
  const complete =
    length === undefined
      ? text.endsWith('\r\n0\r\n\r\n')
      : text.length >= headEnd + 4 + Number(length);
  if (!complete) return undefined;
  return { status: Number(text.slice(9, 12)), userId: () => headerOf(head, userHeader) };
}

function headerOf(head: string, name: string): string | undefined {
  const at = head.indexOf(`\r\n${name}: `);
  if (at === -1) return undefined;
  const end = head.indexOf('\r\n', at + 2);
  return head.slice(at + name.length + 4, end === -1 ? undefined : end);
}
