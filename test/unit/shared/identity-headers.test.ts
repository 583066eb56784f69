import { describe, expect, it } from '@jest/globals';
import { identityHeaders, identityHeaderValues, inboundHeadersToStrip } from '@sallyport/shared';
import { aSession } from '../../support/builders.js';

describe('identity headers', () => {
  it('are always three, in one order, empty where there is nothing', () => {
    expect(identityHeaders).toEqual(['x-user-id', 'x-roles', 'x-permissions']);
    expect(identityHeaderValues(aSession())).toEqual([
      'user-1',
      'admin,editor',
      'orders:read,orders:write',
    ]);
    expect(identityHeaderValues(aSession({ roles: [], permissions: [] }))).toEqual([
      'user-1',
      '',
      '',
    ]);
  });

  it('are all taken off inbound requests, the optional ones too', () => {
    expect(inboundHeadersToStrip).toEqual(expect.arrayContaining([...identityHeaders]));
    expect(inboundHeadersToStrip).toContain('x-user-email');
  });
});
