// A login as express-openid-connect 3.4.0 does it by its defaults: code flow with PKCE, the ID token
// checked, the session sealed into its cookie. No UserInfo, no roles, no store: the cheaper way.
import express from 'express';
import oidc from 'express-openid-connect';

const app = express();
app.use(
  oidc.auth({
    issuerBaseURL: process.env.ISSUER,
    baseURL: process.env.BASE_URL,
    clientID: process.env.CLIENT_ID,
    clientSecret: process.env.CLIENT_SECRET,
    secret: process.env.COOKIE_SECRET,
    authRequired: false,
    authorizationParams: {
      response_type: 'code',
      scope: 'openid profile email offline_access',
    },
  }),
);
app.get('/', (_request, response) => {
  response.json({ ok: true });
});
app.listen(Number(process.env.PORT), '127.0.0.1');
