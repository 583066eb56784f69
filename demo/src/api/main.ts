/**
 * The sample API. It trusts the identity headers because only the edge can reach it, and it shows
 * exactly what arrived: no cookie and no bearer ever should.
 */
import express, { type Request } from 'express';
import { identityHeaders } from '@sallyport/shared';
import { listenOnLoopback, logRequests } from '../http-server.js';
import { echo } from '../echo.js';

const app = express();
app.disable('x-powered-by');
app.use(logRequests());
app.get('/healthz', (_request, response) => {
  response.type('text').send('ok\n');
});

app.get('/api/me', (request, response) => {
  response.set('cache-control', 'no-store').json(caller(request));
});

app.all(['/api', '/api/echo', '/api/echo/{*rest}'], echo);

const notes: { text: string; by: string }[] = [];
app.get('/api/notes', (_request, response) => {
  response.set('cache-control', 'no-store').json({ notes });
});
app.post('/api/notes', express.json({ limit: '4kb' }), (request, response) => {
  const { text } = (request.body ?? {}) as { text?: unknown };
  if (typeof text !== 'string' || text === '') {
    response.status(400).json({ error: 'Send {"text": "…"}.' });
    return;
  }
  const note = { text, by: caller(request).userId };
  notes.push(note);
  if (notes.length > 100) notes.shift();
  response.status(201).json(note);
});

await listenOnLoopback(app, Number(process.env['DEMO_API_PORT'] ?? 8082));

function caller(request: Request): { userId: string; roles: string[]; permissions: string[] } {
  const [userId, roles, permissions] = identityHeaders.map((name) => request.get(name) ?? '');
  return { userId: userId ?? '', roles: split(roles), permissions: split(permissions) };
}

function split(joined = ''): string[] {
  return joined === '' ? [] : joined.split(',');
}
