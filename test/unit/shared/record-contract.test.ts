import { describe, expect, it } from '@jest/globals';
import {
  contractOf,
  contractText,
  contradictions,
  cookieNameProblem,
  recordVersion,
  sessionKeyPrefixProblem,
  sharesCookie,
  standing,
  type RecordContract,
} from '@sallyport/shared';
import fc from 'fast-check';

const ours: RecordContract = {
  version: 5,
  keyForm: 'hashed',
  keyPrefix: 'extauthz:session:',
  cookieName: '__Host-session',
};
const saying = (changes: Partial<RecordContract>) => contractText({ ...ours, ...changes });

describe('the record contract', () => {
  it('is the text that versions before and after know', () => {
    const settings = { keyForm: 'raw', keyPrefix: 'acme:', cookieName: '__Host-acme' } as const;
    expect(contractText(contractOf(settings))).toBe(
      `v=${recordVersion} form=raw prefix=acme: cookie=__Host-acme`,
    );
  });

  it('fits itself, with any prefix and cookie name that is allowed', () => {
    const printable = fc.string({ unit: 'grapheme-ascii', maxLength: 40 });
    const prefixes = printable.filter((text) => sessionKeyPrefixProblem(text) === undefined);
    const names = printable
      .map((text) => `__Host-${text}`)
      .filter((text) => cookieNameProblem(text) === undefined);
    fc.assert(
      fc.property(
        fc.constantFrom('hashed', 'raw'),
        prefixes,
        names,
        (keyForm, keyPrefix, cookieName) => {
          const contract = contractOf({ keyForm, keyPrefix, cookieName });
          expect(contradictions(contract, contractText(contract))).toEqual([]);
          expect(sharesCookie(contract, contractText(contract))).toBe(true);
        },
      ),
    );
  });

  it.each([
    [3, false],
    [4, true],
    [5, true],
    [6, true],
    [7, false],
  ])('of version 5 beside version %i: %s, seen from either side', (version, fits) => {
    const sides = [
      contradictions(ours, saying({ version })),
      contradictions({ ...ours, version }, contractText(ours)),
    ];
    expect(sides.map((found) => found.length === 0)).toEqual([fits, fits]);
  });

  it('names every difference that matters, with both values', () => {
    const theirs = saying({ version: 9, keyForm: 'raw', keyPrefix: 'acme:' });
    expect(contradictions(ours, theirs)).toEqual([
      'its session records are of version 9, ours of 5, and only neighbours understand each other',
      'SESSION_KEY_FORM is raw there and hashed here',
      'EXTAUTHZ_SESSION_KEY_PREFIX is acme: there and extauthz:session: here',
    ]);
  });

  it('leaves another cookie name alone, and tells it apart', () => {
    const theirs = saying({ cookieName: '__Host-other' });
    expect([contradictions(ours, theirs), sharesCookie(ours, theirs)]).toEqual([[], false]);
  });

  it('understands words that a later version adds, and a key form that it brings', () => {
    expect(contradictions(ours, `${contractText(ours)} seal=2 email=yes`)).toEqual([]);
    expect(contradictions(ours, contractText(ours).replace('hashed', 'salted'))).toEqual([
      'SESSION_KEY_FORM is salted there and hashed here',
    ]);
  });

  it('does not fit what cannot be read, and repeats nothing of it', () => {
    const unread = ['what it says cannot be read by this version'];
    for (const text of ['', 'canary', `${contractText(ours)}\ncanary`, 'v=5', 'v=-5 form=hashed']) {
      expect(contradictions(ours, text)).toEqual(unread);
      expect(sharesCookie(ours, text)).toBe(false);
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(contradictions(ours, text)).toEqual(unread);
      }),
    );
  });

  it('stands until its lease ends, and not by a lease that is no number', () => {
    const contracts = { past: '999', now: '1000', later: '1001', none: '', other: 'soon' };
    expect(standing(contracts, 1000)).toEqual(['later']);
  });
});
