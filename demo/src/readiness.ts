import { get } from 'node:http';
import { connect } from 'node:net';
import { urlToHttpOptions } from 'node:url';

/** Whether a GET is answered with 200, asked on a connection of its own. */
export function answersOk(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(
      { ...urlToHttpOptions(new URL(url)), agent: false, timeout: 2_000 },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
  });
}

/** A child's readiness as an address that answers 200. */
export function answering(url: string): { waitsFor: string; isReady: () => Promise<boolean> } {
  return { waitsFor: url, isReady: () => answersOk(url) };
}

/** Whether somebody listens on a port of this machine, by any of its loopback addresses. */
export async function isTaken(port: number): Promise<boolean> {
  const answers = await Promise.all([connects(port, '127.0.0.1'), connects(port, '::1')]);
  return answers.includes(true);
}

function connects(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const settle = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', settle(true));
    socket.once('error', settle(false));
  });
}
