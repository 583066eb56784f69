import { z } from 'zod';

/** A TCP port; 0 lets the system choose one (tests). */
export function port(fallback: number): z.ZodType<number, string | undefined> {
  return z
    .string()
    .regex(/^[0-9]{1,5}$/, 'must be a port number, 0 to 65535.')
    .default(String(fallback))
    .transform(Number)
    .refine((value) => value <= 65535, 'must be a port number, 0 to 65535.');
}

/** A whole number in a range. `unit` completes the error's sentence. */
export function whole(
  fallback: number,
  range: { min: number; max: number; unit: string },
): z.ZodType<number, string | undefined> {
  const message = `must be a whole number of ${range.unit}, ${range.min} to ${range.max}.`;
  return z
    .string()
    .regex(/^[0-9]{1,12}$/, message)
    .default(String(fallback))
    .transform(Number)
    .refine((value) => value >= range.min && value <= range.max, message);
}

/** `true`/`1`/`yes` or `false`/`0`/`no`. */
export function flag(fallback: boolean): z.ZodType<boolean, string | undefined> {
  return z
    .enum(['true', 'false', '1', '0', 'yes', 'no'], { error: 'must be true or false.' })
    .default(fallback ? 'true' : 'false')
    .transform((value) => value === 'true' || value === '1' || value === 'yes');
}
