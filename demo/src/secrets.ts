import { randomBytes } from 'node:crypto';

/** Every secret of one run: fresh each time, so that none can be known before. */
export interface RunSecrets {
  readonly clientSecret: string;
  readonly sealKey: string;
  readonly redis: {
    readonly extauthz: string;
    readonly sessionGateway: string;
    /** Of the Redis user `admin`, for people (and tests) who want to look. */
    readonly admin: string;
  };
}

export function newSecrets(): RunSecrets {
  const random = (): string => randomBytes(32).toString('base64url');
  return {
    clientSecret: random(),
    sealKey: random(),
    redis: { extauthz: random(), sessionGateway: random(), admin: random() },
  };
}
