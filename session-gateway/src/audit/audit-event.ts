import { z } from 'zod';

/**
 * Grows with every change that a reader of version N could misread. A new optional field or a new
 * event is none: readers must leave alone what they do not know.
 */
export const auditVersion = 1;

const userId = z.string().describe('The id the permission service gave the person.');
const session = z
  .string()
  .describe('Names a session and opens none: 22 characters of a SHA-256 of its handle.');
const idp = z.string().describe('The registration id of the identity provider.');
const reason = z.string().describe('A stable code, as in problem documents.');
const count = z.int().min(0);

const common = {
  version: z.literal(auditVersion),
  time: z.iso.datetime(),
  requestId: z.string().optional(),
  traceId: z.string().optional().describe('W3C Trace Context; 32 hex digits.'),
};
const device = { device: z.string().optional(), ipPrefix: z.string().optional() };

/** Every event, as it is written: one JSON object per line. */
export const auditEvent = z.discriminatedUnion('event', [
  z.object({
    ...common,
    ...device,
    event: z.literal('login'),
    outcome: z.enum(['success', 'failure']),
    idp,
    userId: userId.optional(),
    session: session.optional(),
    reason: reason.optional(),
    class: z.string().optional().describe('Of a failure: whose it was, as in the metrics.'),
  }),
  z.object({
    ...common,
    event: z.literal('logout'),
    outcome: z.literal('success'),
    idp,
    userId,
    session,
  }),
  z.object({
    ...common,
    event: z.literal('refresh'),
    outcome: z.literal('failure'),
    idp,
    userId,
    session,
    reason,
    ended: z.boolean().describe('Whether the session ended over it.'),
  }),
  z.object({
    ...common,
    event: z.literal('revoke'),
    outcome: z.literal('success'),
    cause: z.enum([
      'admin',
      'back_channel',
      'cli',
      'device',
      'resumed',
      'session_limit',
      'replaced',
    ]),
    kind: z.enum(['user', 'sub', 'sid']).describe('Whose sessions: a user’s, an account’s, …'),
    ended: count.describe('How many sessions ended.'),
    userId: userId.optional(),
    idp: idp.optional(),
    session: session.optional(),
  }),
  z.object({
    ...common,
    event: z.literal('exchange'),
    outcome: z.enum(['success', 'failure']),
    idp: idp.optional(),
    userId: userId.optional(),
    session: session.optional(),
    client: z.string().optional().describe('Who asked, by its client id.'),
    reason: reason.optional(),
  }),
  z.object({
    ...common,
    event: z.literal('admin'),
    outcome: z.enum(['success', 'failure']),
    action: z.enum([
      'revoke_user',
      'push_permissions',
      'revoke_session',
      'flush_sessions',
      'seed_session',
      'other',
    ]),
    caller: z.string().optional().describe('The name in INTERNAL_API_TOKENS.'),
    cause: z.literal('cli').optional().describe('By the command line of the gateway.'),
    userId: userId.optional(),
    session: session.optional(),
    reason: reason.optional(),
  }),
]);

type Written = z.output<typeof auditEvent>;
type Omitted = 'version' | 'time' | 'requestId' | 'traceId';
type WithoutCommon<E> = E extends Written ? Omit<E, Omitted> : never;

/** What happened; when, and because of which request, adds the log. */
export type AuditEvent = WithoutCommon<Written>;
