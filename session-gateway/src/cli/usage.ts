/** The command line cannot be understood: nothing was begun. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'bad_usage';
}

/** A command could not do what it was asked for; the message is for the person at the terminal. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code = 'command_failed';
}

export const usage = `Usage: node session-gateway/dist/main.js [COMMAND] [OPTION]…

Without a command the gateway is started. Commands take the same settings from the environment.

  --check-config                         say what is wrong with the settings, start nothing
  doctor [--json]                        look at the settings, Redis and everybody the gateway needs
  rekey                                  seal the tokens of all sessions by the first seal key
  session list --user ID [--json]        where a user is logged in
  session show REF [--json]              one session, without its tokens
  session revoke --user ID               end every session of a user
  session revoke REF                     end one session
  session flush --yes                    end every session of everybody
  session seed --user ID [--roles A,B] [--permissions C,D] [--ttl SECONDS]
                                         make a session without a login, with DEV_INSECURE only
  --help                                 this text

REF is what "session list" prints; the user finds it at /auth/sessions. The name that the audit log
gives a session and the handle in its Redis key do as well. Times are UTC.

Exit code: 0 done, 1 not done or not as it should be, 2 the command line was not understood.
`;
