import express, { type Request, type Response, type Router } from 'express';
import type { Provider } from 'oidc-provider';
import { loginPage, messagePage } from './pages.js';
import { findPerson } from './people.js';

/** The login form at `/interaction/:uid`; a correct answer finishes login and consent in one step. */
export function interactionRoutes(provider: Provider): Router {
  const router = express.Router();
  router.get('/interaction/:uid', async (request, response) => {
    const { uid, params } = await provider.interactionDetails(request, response);
    const hint = params['login_hint'];
    sendPage(response, 200, loginPage({ uid, user: typeof hint === 'string' ? hint : '' }));
  });
  router.post(
    '/interaction/:uid',
    express.urlencoded({ extended: false, limit: '4kb' }),
    async (request, response) => {
      await signIn(provider, request, response);
    },
  );
  router.use((error: Error, _request: Request, response: Response, next: () => void) => {
    if (error.name !== 'SessionNotFound') {
      console.error(`interaction failed: ${error.message}`);
      next();
      return;
    }
    const message = 'This login was finished or took too long. Go back to the app and start again.';
    sendPage(response, 400, messagePage('Start again', message));
  });
  return router;
}

async function signIn(provider: Provider, request: Request, response: Response): Promise<void> {
  const interaction = await provider.interactionDetails(request, response);
  const { user, password } = readForm(request.body);
  const person = findPerson(user);
  if (person === undefined || person.password !== password) {
    const error = 'This user and password do not belong together.';
    sendPage(response, 422, loginPage({ uid: interaction.uid, user, error }));
    return;
  }
  const grant = new provider.Grant({
    accountId: person.sub,
    clientId: String(interaction.params['client_id']),
  });
  grant.addOIDCScope(String(interaction.params['scope']));
  await provider.interactionFinished(
    request,
    response,
    { login: { accountId: person.sub }, consent: { grantId: await grant.save() } },
    { mergeWithLastSubmission: false },
  );
}

function readForm(body: unknown): { user: string; password: string } {
  const form = (body ?? {}) as Record<string, unknown>;
  const text = (name: string): string => {
    const value = form[name];
    return typeof value === 'string' ? value : '';
  };
  return { user: text('user').trim().toLowerCase(), password: text('password') };
}

function sendPage(response: Response, status: number, page: string): void {
  response.status(status).set('cache-control', 'no-store').type('html').send(page);
}
