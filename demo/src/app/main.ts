/** The app: a page, and an echo that shows what reaches an unprotected route. */
import { fileURLToPath } from 'node:url';
import express from 'express';
import { echo } from '../echo.js';
import { listenOnLoopback, logRequests } from '../http-server.js';

const files = fileURLToPath(new URL('../../public/app/', import.meta.url));

const app = express();
app.disable('x-powered-by');
app.use(logRequests());
app.get('/healthz', (_request, response) => {
  response.type('text').send('ok\n');
});
app.all('/app-echo', echo);
app.use((_request, response, next) => {
  response.set({
    'cache-control': 'no-cache',
    'content-security-policy':
      "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
  });
  next();
});
// One page for every view: the script reads the path.
app.get(['/', '/login', '/oops', '/peace'], (_request, response) => {
  response.sendFile('index.html', { root: files });
});
app.use(express.static(files, { index: false, cacheControl: false }));
app.use((_request, response) => {
  response.status(404).sendFile('index.html', { root: files });
});

await listenOnLoopback(app, Number(process.env['DEMO_APP_PORT'] ?? 8083));
