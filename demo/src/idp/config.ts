export interface IdpConfig {
  readonly port: number;
  readonly issuer: string;
  readonly client: {
    readonly id: string;
    readonly secret: string;
    readonly redirectUris: readonly string[];
    readonly postLogoutRedirectUris: readonly string[];
    readonly backchannelLogoutUri?: string;
  };
  readonly lifetimes: {
    readonly accessToken: number;
    readonly refreshToken: number;
    readonly session: number;
  };
  /** Tests only: a file that gets every token and code issued, so that logs can be searched for them. */
  readonly recordFile?: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** @throws Error naming the variable that is missing or wrong. */
export function readIdpConfig(env: Env): IdpConfig {
  const port = seconds(env, 'DEMO_IDP_PORT', 9400);
  const backchannelLogoutUri = env['DEMO_IDP_BACKCHANNEL_LOGOUT_URI'];
  const recordFile = env['DEMO_IDP_RECORD_FILE'];
  return {
    port,
    issuer: `http://127.0.0.1:${port}`,
    client: {
      id: required(env, 'DEMO_IDP_CLIENT_ID'),
      secret: required(env, 'DEMO_IDP_CLIENT_SECRET'),
      redirectUris: required(env, 'DEMO_IDP_REDIRECT_URIS').split(' '),
      postLogoutRedirectUris: required(env, 'DEMO_IDP_POST_LOGOUT_REDIRECT_URIS').split(' '),
      ...(backchannelLogoutUri === undefined ? {} : { backchannelLogoutUri }),
    },
    lifetimes: {
      accessToken: seconds(env, 'DEMO_IDP_ACCESS_TOKEN_SECONDS', 600),
      refreshToken: seconds(env, 'DEMO_IDP_REFRESH_TOKEN_SECONDS', 86_400),
      session: seconds(env, 'DEMO_IDP_SESSION_SECONDS', 86_400),
    },
    ...(recordFile === undefined ? {} : { recordFile }),
  };
}

function required(env: Env, name: string): string {
  const value = env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}

function seconds(env: Env, name: string, fallback: number): number {
  const value = Number(env[name] ?? fallback);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a whole number`);
  return value;
}
