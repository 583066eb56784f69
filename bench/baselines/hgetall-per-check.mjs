// "HGETALL per check, one log line": a stand-in, in plain node, for the original design of an
// ext_authz service over Redis. Per check: the session cookie, one HGETALL of `<prefix><raw id>`,
// the expiry, the identity headers, one JSON log line.
//
// Where the original could be built in two ways, this takes the cheaper one, so that it is nobody's
// straw man: commands of one turn of the event loop share a write (auto-pipelining), log lines are
// written 64 KiB at a time, no Date header, no metrics, and the id is not hashed.
import { writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { Redis } from 'ioredis';

const { PORT, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD, COOKIE_NAME, KEY_PREFIX } = process.env;
const redis = new Redis({
  host: '127.0.0.1',
  port: Number(REDIS_PORT),
  username: REDIS_USERNAME,
  password: REDIS_PASSWORD,
  enableAutoPipelining: true,
});
const cookiePattern = new RegExp(`(?:^|;\\s*)${COOKIE_NAME}=([^;]+)`);

let lines = '';
function log(line) {
  lines += line;
  if (lines.length < 65_536) return;
  writeSync(1, lines);
  lines = '';
}

async function check(request, response) {
  const started = performance.now();
  const [, id] = cookiePattern.exec(request.headers.cookie ?? '') ?? [];
  const session = id === undefined ? {} : await redis.hgetall(KEY_PREFIX + id);
  const allowed = Number(session.expires_at ?? 0) * 1000 > Date.now();
  response.sendDate = false;
  if (allowed) {
    response.writeHead(200, [
      'x-user-id',
      session.user_id,
      'x-roles',
      session.roles,
      'x-permissions',
      session.permissions,
      'content-length',
      '0',
    ]);
  } else {
    response.writeHead(401, ['content-length', '0']);
  }
  response.end();
  log(
    `${JSON.stringify({
      level: 'info',
      time: Date.now(),
      msg: allowed ? 'allowed' : 'denied',
      method: request.method,
      path: request.url,
      user: session.user_id,
      duration_ms: performance.now() - started,
    })}\n`,
  );
}

createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
  request.resume();
  check(request, response).catch(() => {
    response.writeHead(503, ['content-length', '0']);
    response.end();
  });
}).listen(Number(PORT), '127.0.0.1');
