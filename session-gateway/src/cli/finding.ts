/** What the doctor found at one place. No secret, no id of a person or a session. */
export interface Finding {
  readonly about: string;
  /** `unknown`: it could not be looked at, for a reason that another line names. */
  readonly state: 'ok' | 'warning' | 'failed' | 'unknown';
  readonly what: string;
  /** What to do about it. */
  readonly todo?: string;
}

export function ok(about: string, what: string): Finding {
  return { about, state: 'ok', what };
}

export function failed(about: string, what: string, todo: string): Finding {
  return { about, state: 'failed', what, todo };
}

export function warning(about: string, what: string, todo: string): Finding {
  return { about, state: 'warning', what, todo };
}

/**
 * A look whose own failure must not end the others. Of an error only its code is repeated: the rest
 * may quote what was sent.
 */
export async function looked(
  about: string,
  todo: string,
  look: () => Promise<Finding | readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return [await look()].flat();
  } catch (error) {
    const { code, name, message } = error as NodeJS.ErrnoException;
    const [word] = /^[A-Z]{3,20}(?= )/.exec(message) ?? [];
    return [failed(about, `could not be looked at (${word ?? code ?? name})`, todo)];
  }
}
