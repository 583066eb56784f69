import { flag, isLoopback } from '@sallyport/shared/runtime';
import { z } from 'zod';
import type { Origins } from './csrf.js';

/** What extauthz knows of the browsers' side: all of it optional. */
export interface EdgeSettings {
  readonly policyFile: string | undefined;
  readonly origins: Origins;
  /** Where a person without a session is sent; absolute. */
  readonly loginUrl: string | undefined;
  readonly sendEmail: boolean;
  readonly sendKind: boolean;
}

export const edgeVariables = {
  EXTAUTHZ_POLICY_FILE: z.string().optional(),
  PUBLIC_ORIGIN: z.string().optional(),
  EXTAUTHZ_TRUSTED_ORIGINS: z.string().optional(),
  EXTAUTHZ_LOGIN_URL: z.string().optional(),
  EXTAUTHZ_SEND_EMAIL: flag(false),
  EXTAUTHZ_SEND_KIND: flag(false),
};

type EdgeVariables = z.output<z.ZodObject<typeof edgeVariables>>;

export function edgeSettings(value: EdgeVariables): {
  settings: EdgeSettings;
  problems: readonly string[];
  warnings: readonly string[];
} {
  const problems: string[] = [];
  const own = value.PUBLIC_ORIGIN?.replace(/\/$/, '');
  const ownProblem = own === undefined ? undefined : originProblem(own);
  if (ownProblem !== undefined) problems.push(`PUBLIC_ORIGIN: ${ownProblem}`);
  const trusted = (value.EXTAUTHZ_TRUSTED_ORIGINS ?? '')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');
  for (const origin of trusted) {
    const problem = originProblem(origin);
    if (problem !== undefined) problems.push(`EXTAUTHZ_TRUSTED_ORIGINS: "${origin}" ${problem}`);
  }
  const loginUrl = readLoginUrl(
    value.EXTAUTHZ_LOGIN_URL,
    ownProblem === undefined ? own : undefined,
  );
  if (typeof loginUrl === 'object') problems.push(`EXTAUTHZ_LOGIN_URL: ${loginUrl.problem}`);
  return {
    problems,
    warnings:
      own === undefined
        ? ['PUBLIC_ORIGIN is not set: only browsers that send Sec-Fetch-Site can change anything.']
        : [],
    settings: {
      policyFile: value.EXTAUTHZ_POLICY_FILE,
      origins: { own, trusted: new Set(trusted) },
      loginUrl: typeof loginUrl === 'object' ? undefined : loginUrl,
      sendEmail: value.EXTAUTHZ_SEND_EMAIL,
      sendKind: value.EXTAUTHZ_SEND_KIND,
    },
  };
}

/** An origin exactly as browsers write it: it is compared as text. */
function originProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'is not an origin. Write it like https://app.example.com.';
  const url = new URL(text);
  if (url.origin !== text) {
    return `must be an origin exactly as browsers send it${url.origin === 'null' ? '' : `: ${url.origin}`}.`;
  }
  return plaintextProblem(url);
}

function readLoginUrl(
  text: string | undefined,
  publicOrigin: string | undefined,
): string | { problem: string } | undefined {
  if (text === undefined) return undefined;
  if (publicOrigin === undefined) {
    return { problem: 'needs PUBLIC_ORIGIN, from which the return URL is built. Set both.' };
  }
  if (!URL.canParse(text, publicOrigin)) {
    return { problem: 'is neither a path nor a URL. Write /login or https://….' };
  }
  const url = new URL(text, publicOrigin);
  if (url.username !== '' || url.password !== '') return { problem: 'must not carry a user.' };
  if (url.hash !== '') return { problem: 'must have no fragment: a parameter is added to it.' };
  if (url.searchParams.has('returnUrl'))
    return { problem: 'must not have returnUrl: it is added.' };
  const problem = plaintextProblem(url);
  return problem === undefined ? url.href : { problem };
}

function plaintextProblem(url: URL): string | undefined {
  if (url.protocol === 'https:') return undefined;
  if (url.protocol === 'http:' && isLoopback(url.hostname)) return undefined;
  return 'must start with https://. http is accepted on loopback only.';
}
