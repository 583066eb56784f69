import { describe, expect, it } from '@jest/globals';
import {
  clientAddress,
  deviceHint,
  ipPrefix,
  parseTrustedProxies,
} from '../../../session-gateway/src/http/device.js';

describe('deviceHint', () => {
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
    [
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0',
      'Edge on Windows',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
      'Safari on iPhone',
    ],
    [
      'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36',
      'Chrome on Android',
    ],
    ['<script>alert(1)</script>', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('makes of %s its own words: %s', (userAgent, hint) => {
    expect(deviceHint(userAgent)).toBe(hint);
  });
});

describe('ipPrefix', () => {
  it.each([
    ['203.0.113.77', '203.0.113.0/24'],
    ['::ffff:203.0.113.77', '203.0.113.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8:0::/48'],
    ['::1', '0:0:0::/48'],
    ['fe80::1%eth0', 'fe80:0:0::/48'],
    ['not an address', undefined],
    [undefined, undefined],
  ])('of %s is %s', (address, prefix) => {
    expect(ipPrefix(address)).toBe(prefix);
  });
});

describe('clientAddress', () => {
  const trusted = parseTrustedProxies('127.0.0.0/8, ::1, 10.0.0.0/8');
  it.each([
    ['127.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['127.0.0.1', '6.6.6.6, 203.0.113.7, 10.1.2.3', '203.0.113.7'],
    ['198.51.100.1', '203.0.113.7', '198.51.100.1'],
    ['::ffff:127.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['127.0.0.1', undefined, '127.0.0.1'],
    [undefined, undefined, undefined],
    ['127.0.0.1', '203.0.113.7, unknown', undefined],
    ['127.0.0.1', '10.0.0.1', '10.0.0.1'],
  ])('of peer %s with %s is %s', (peer, forwardedFor, address) => {
    if (trusted === undefined) throw new Error('the list is good');
    expect(clientAddress(peer, forwardedFor, trusted)).toBe(address);
  });

  it.each([
    '',
    'localhost',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/8,0.0.0.0/0',
    '10.0.0.0/33',
    '10.0.0.0/x',
    '::1/129',
    '10.0.0.1,',
    // Both halves of everybody, and what is nearly that.
    '0.0.0.0/1,128.0.0.0/1',
    '10.0.0.0/7',
    '::/1,8000::/1',
    '2000::/3',
    'fd00::/8',
    // IPv4, written as IPv6.
    '::ffff:0:0/96',
    '::/64',
    '::ffff:10.0.0.0/103',
  ])('reg-21: trusts no list such as "%s"', (text) => {
    expect(parseTrustedProxies(text)).toBeUndefined();
  });

  it.each(['10.0.0.0/8', 'fd12::/16', '::1', '::/127', '::ffff:10.0.0.0/104'])(
    'trusts the network %s, which may be somebody’s own',
    (text) => {
      expect(parseTrustedProxies(text)).toBeDefined();
    },
  );
});
