import express, { type Express } from 'express';
import type { Events } from './events.js';
import { callerOf, type Caller } from './http/callers.js';
import { adminAudit } from './http/admin-audit.js';
import { correlate } from './http/correlate.js';
import { errorHandler, notFound } from './http/error-handler.js';
import { requestLog } from './http/request-log.js';
import { internalSecurityHeaders } from './http/security-headers.js';
import {
  pushPermissions,
  revokeUser,
  type InternalSessionsOptions,
} from './routes/internal-sessions.js';

/** `/internal` of the management port: for services that show a token, and on no other port. */
export function createInternalApp(
  options: InternalSessionsOptions & { callers: readonly Caller[]; events: Events },
): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  app.use(correlate);
  app.use(requestLog(options.events));
  app.use(adminAudit(options.events));
  app.use(internalSecurityHeaders());
  app.use((request, response, next) => {
    response.locals['caller'] = callerOf(request.get('authorization'), options.callers);
    next();
  });
  app.delete('/internal/v1/sessions/users/:userId', revokeUser(options));
  app.put('/internal/v1/sessions/users/:userId/permissions', pushPermissions(options));
  app.use(notFound);
  app.use(errorHandler(options.events));
  return app;
}
