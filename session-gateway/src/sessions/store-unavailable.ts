import { NotAcknowledgedError } from './write-link.js';

/** The store could not be asked: nothing is known about any session. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
  readonly code = 'store_unavailable';
  /** The server's own error word, such as READONLY or NOPERM, or `no_answer`. */
  readonly detail: string;

  constructor(cause: unknown) {
    super('the session store gave no answer', { cause });
    const [, word] = /^([A-Z]{2,20}) /.exec((cause as Error).message) ?? [];
    this.detail = word ?? 'no_answer';
  }
}

/** It is done, and only the replicas' word for it is missing. */
export function isUnconfirmed(error: unknown): error is StoreUnavailableError {
  return error instanceof StoreUnavailableError && error.cause instanceof NotAcknowledgedError;
}

/** Errors of ours about a value, thrown before anything was written: no outage. */
const ownErrors = new Set(['SessionValueError', 'SessionExistsError', 'SealError']);

/** The store's answer, with whatever Redis or the network threw as one error. */
export async function orUnavailable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw ownErrors.has((error as Error).name) ? error : new StoreUnavailableError(error);
  }
}
