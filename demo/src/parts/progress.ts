/** Told one line for each step that takes time, so that a first start never looks hung. */
export type Progress = (line: string) => void;

export const silent: Progress = () => {
  // Nobody is watching.
};

export type Env = Readonly<Record<string, string | undefined>>;

/** A part that this machine needs and that cannot be had. The message says every way to provide it. */
export class MissingPartError extends Error {
  override readonly name = 'MissingPartError';
  readonly code = 'missing_part';
}
