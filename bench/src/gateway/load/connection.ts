import { connect, type Socket } from 'node:net';

export interface HttpAnswer {
  /** 0: the connection was lost. */
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** One keep-alive connection, one request at a time, on a bare socket (see load/http-asker.ts). */
export interface HttpConnection {
  /** @param text the whole request, as it goes over the wire */
  send(text: string): Promise<HttpAnswer>;
  close(): void;
}

const lost: HttpAnswer = { status: 0, head: '', body: '' };

export function httpConnection(port: number): HttpConnection {
  let socket: Socket | undefined;
  let received = '';
  let settle: (answer: HttpAnswer) => void = () => undefined;

  const open = (): Socket => {
    const opened = connect({ port, host: '127.0.0.1', noDelay: true });
    received = '';
    opened.setEncoding('latin1');
    opened.on('error', () => opened.destroy());
    opened.on('close', () => {
      if (socket !== opened) return;
      socket = undefined;
      settle(lost);
    });
    opened.on('data', (text: string) => {
      received = received === '' ? text : received + text;
      const answer = completeAnswer(received);
      if (answer === undefined) return;
      received = '';
      settle(answer);
    });
    return opened;
  };
  return {
    send: (text) =>
      new Promise((resolve) => {
        settle = resolve;
        socket ??= open();
        socket.write(text, 'latin1');
      }),
    close: () => {
      const open = socket;
      socket = undefined;
      open?.destroy();
    },
  };
}

/** The answer once all of it is here; every measured server says how long its answer is. */
function completeAnswer(text: string): HttpAnswer | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const head = text.slice(0, headEnd);
  const [, length] = /\r\ncontent-length: ([0-9]+)/i.exec(head) ?? [];
  const complete =
    length === undefined
      ? !/\r\ntransfer-encoding:/i.test(head) || text.endsWith('\r\n0\r\n\r\n')
      : text.length >= headEnd + 4 + Number(length);
  if (!complete) return undefined;
  return { status: Number(text.slice(9, 12)), head, body: text.slice(headEnd + 4) };
}

/** The `name=value` of every cookie an answer sets. */
export function setCookiesOf(head: string): string[] {
  return [...head.matchAll(/\r\nset-cookie: ([^;\r]+)/gi)].map(([, pair = '']) => pair);
}

export function headerOf(head: string, name: string): string | undefined {
  const [, value] = new RegExp(`\\r\\n${name}: ([^\\r]*)`, 'i').exec(head) ?? [];
  return value;
}
