import { describe, expect, it } from 'vitest';
import { linkOf } from '../../src/react/link.js';

describe('the address of a notification', () => {
  it.each([
    'javascript:alert(1)', 'JAVASCRIPT:alert(1)', ' javascript:alert(1)', 'java\nscript:alert(1)', '\u0001javascript:alert(1)',
    'data:text/html,<script>alert(1)</script>', 'vbscript:x', 'file:///etc/passwd', 'blob:https://example.org/1', 'ftp://example.org/',
    'http://', '', null,
  ])('%j is no link', (address) => expect(linkOf(address)).toBeNull());

  it.each([
    ['https://example.org/x?y#z', 'https://example.org/x?y#z', true],
    ['//example.org/x', `${location.protocol}//example.org/x`, true],
    ['mailto:dana@example.org', 'mailto:dana@example.org', false],
    ['/orders/1', `${location.origin}/orders/1`, false],
    ['#top', `${location.href}#top`, false],
    ['javascript', `${location.origin}/javascript`, false],
  ])('%s leads to %s', (address, href, external) => expect(linkOf(address)).toEqual({ href, external }));
});
