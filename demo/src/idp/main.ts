/** A real OpenID provider on 127.0.0.1: another site than the app on localhost, as in production. */
import { fileURLToPath } from 'node:url';
import express from 'express';
import { listenOnLoopback, logRequests } from '../http-server.js';
import { readIdpConfig } from './config.js';
import { interactionRoutes } from './interaction.js';
import { createProvider } from './provider.js';

// The library greets Node 20 and each development default with a warning; none is news here.
const warn = console.warn.bind(console);
console.warn = (...parts: unknown[]) => {
  if (!String(parts[0]).startsWith('oidc-provider')) warn(...parts);
};

const config = readIdpConfig(process.env);
const provider = await createProvider(config);
const app = express();
app.disable('x-powered-by');
app.use(logRequests());
app.get('/healthz', (_request, response) => {
  response.type('text').send('ok\n');
});
app.use((_request, response, next) => {
  response.set({
    // No form-action: the login form's answer leads, by redirects, to the client's origin.
    'content-security-policy':
      "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'",
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  });
  next();
});
app.use('/assets', express.static(fileURLToPath(new URL('../../public/idp/', import.meta.url))));
app.use(interactionRoutes(provider));
app.use(provider.callback());
await listenOnLoopback(app, config.port);
