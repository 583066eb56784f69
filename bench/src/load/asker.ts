/** One check's answer, from whichever transport. */
export interface CheckAnswer {
  /** 200 for an allow, what the client would get for a denial, 0 when there was no answer. */
  readonly status: number;
  /** Whom the upstream would take the caller for. Read only where it is asked for. */
  readonly userId: () => string | undefined;
}

/** A connection that can carry `slots` checks at a time. */
export interface Asker {
  readonly slots: number;
  /** Calls back exactly once, whatever happens. */
  send(sessionId: string, done: (answer: CheckAnswer) => void): void;
  close(): void;
}

export const noAnswer: CheckAnswer = { status: 0, userId: () => undefined };

export interface Target {
  readonly protocol: 'http' | 'grpc';
  readonly port: number;
  readonly cookieName: string;
  readonly path: string;
  /** Where an HTTP answer names the user; Envoy's upstream echoes it under another name. */
  readonly userHeader: string;
}

/** The check as a promise, for whoever asks one at a time. */
export function ask(asker: Asker, sessionId: string): Promise<CheckAnswer> {
  return new Promise((resolve) => {
    asker.send(sessionId, resolve);
  });
}
