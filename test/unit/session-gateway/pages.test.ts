import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  bouncePage,
  confirmLogoutPage,
  problemPage,
  styleSource,
} from '../../../session-gateway/src/http/pages.js';

const all = [
  bouncePage('https://app.acme.test/?a=1&b="<x>'),
  confirmLogoutPage(),
  problemPage({ title: '<script>', detail: '\'"&' }, { label: 'Start page', href: '/' }),
];

describe('our own pages', () => {
  it.each(all)('hold no script and only the style that the policy allows (%#)', (page) => {
    const styles = [...page.matchAll(/<style>(.*?)<\/style>/gs)].map(([, style]) => style ?? '');

    expect(page).not.toMatch(/<script|javascript:|\son[a-z]+=|\sstyle=/i);
    expect(styles).toHaveLength(1);
    expect(
      `'sha256-${createHash('sha256')
        .update(styles[0] ?? '')
        .digest('base64')}'`,
    ).toBe(styleSource);
  });

  it.each(all)('can be read by everybody (%#)', (page) => {
    expect(page).toContain('<html lang="en">');
    expect(page.match(/<h1>/g)).toHaveLength(1);
    expect(page).toContain('<main>');
    expect(page).toContain('name="viewport"');
  });

  it('escape whatever is put into them', () => {
    expect(all[0]).toContain('content="0;url=https://app.acme.test/?a=1&amp;b=&quot;&lt;x&gt;"');
    expect(all[2]).toContain('<h1>&lt;script&gt;</h1>');
    expect(all[2]).toContain('&#39;&quot;&amp;');
  });
});
