/** Somebody revoked this person's sessions after the login began: it ends without one (ATTACKS 9). */
export class LoginRevokedError extends Error {
  override readonly name = 'LoginRevokedError';
  readonly code = 'login_revoked';

  constructor() {
    super('the login was revoked while it was under way');
  }
}
