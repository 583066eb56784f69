import type { SessionKeyForm } from './session.js';

/**
 * The version of the session records. It grows with a change that a reader has to know of. Neighbours
 * must understand each other both ways, so that an update and its way back may go in any order
 * (test/contract/record-versions.test.ts).
 */
export const recordVersion = 1;

/** How long a gateway's word stands after it was given last, ms. Longer than a failover, short enough to wait for. */
export const contractLease = 60_000;

/** What whoever writes sessions and whoever reads them must have in common, or nobody's session is found. */
export interface RecordContract {
  readonly version: number;
  readonly keyForm: SessionKeyForm;
  readonly keyPrefix: string;
  readonly cookieName: string;
}

/** Of this code, with these settings. */
export function contractOf({
  keyForm,
  keyPrefix,
  cookieName,
}: Omit<RecordContract, 'version'>): RecordContract {
  return { version: recordVersion, keyForm, keyPrefix, cookieName };
}

/**
 * The contract as the field of a hash whose value is the end of its lease, epoch ms. Gateways that say
 * the same share one: it says how sessions are written here, not by how many. Later versions may add
 * words at the end, and must leave these as they are.
 */
export function contractText({ version, keyForm, keyPrefix, cookieName }: RecordContract): string {
  return `v=${version} form=${keyForm} prefix=${keyPrefix} cookie=${cookieName}`;
}

const grammar =
  /^v=(?<version>[0-9]{1,6}) form=(?<form>[a-z]{1,16}) prefix=(?<prefix>[A-Za-z0-9:._-]{1,64}) cookie=(?<cookie>[!-~]{1,128})(?: .*)?$/;

/** What somebody said, of whichever version: a form that we do not know is only a word. */
function said(text: string) {
  const { version, form, prefix, cookie } = grammar.exec(text)?.groups ?? {};
  return version === undefined ? undefined : { version: Number(version), form, prefix, cookie };
}

/** The texts whose lease has not ended. @param now of Redis, epoch ms */
export function standing(contracts: Readonly<Record<string, string>>, now: number): string[] {
  return Object.entries(contracts)
    .filter(([, end]) => Number(end) > now)
    .map(([text]) => text);
}

/**
 * What keeps us from finding or understanding the sessions of one who says this; none where it fits.
 * Nothing of a text that is not understood is repeated: whoever may write to Redis made it.
 */
export function contradictions(ours: RecordContract, text: string): string[] {
  const theirs = said(text);
  if (theirs === undefined) return ['what it says cannot be read by this version'];
  const found: string[] = [];
  if (Math.abs(theirs.version - ours.version) > 1) {
    found.push(
      `its session records are of version ${theirs.version}, ours of ${ours.version}, and only neighbours understand each other`,
    );
  }
  if (theirs.form !== ours.keyForm) {
    found.push(`SESSION_KEY_FORM is ${theirs.form} there and ${ours.keyForm} here`);
  }
  if (theirs.prefix !== ours.keyPrefix) {
    found.push(`EXTAUTHZ_SESSION_KEY_PREFIX is ${theirs.prefix} there and ${ours.keyPrefix} here`);
  }
  return found;
}

/** Whether one who says this sets the cookie that we read. Told apart: bearer sessions need none. */
export function sharesCookie(ours: RecordContract, text: string): boolean {
  return said(text)?.cookie === ours.cookieName;
}
