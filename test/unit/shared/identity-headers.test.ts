import { describe, expect, it } from '@jest/globals';
import { identityHeaders, inboundHeadersToStrip } from '@sallyport/shared';

describe('identity headers', () => {
  it('are the three of the contract, lower case', () => {
    expect(identityHeaders).toEqual(['x-user-id', 'x-roles', 'x-permissions']);
  });

  it('are all taken off inbound requests, and the optional ones too', () => {
    expect(inboundHeadersToStrip).toEqual(
      expect.arrayContaining([...identityHeaders, 'x-user-email', 'x-session-kind']),
    );
  });
});
