// The floor of express: default settings (NODE_ENV=production), one route that answers a small JSON
// object. Nothing is read, nothing is decided.
import express from 'express';

const app = express();
app.get('/', (_request, response) => {
  response.json({ ok: true });
});
app.listen(Number(process.env.PORT), '127.0.0.1');
