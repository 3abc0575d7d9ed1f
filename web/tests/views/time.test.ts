import { describe, expect, it } from 'vitest';
import { timeAgo } from '../../src/react/time.js';

describe('how long ago', () => {
  const now = Date.parse('2026-03-10T12:00:00Z');
  it.each([
    ['2026-03-10T11:59:30.000000Z', 'en', 'now'],
    ['2026-03-10T12:00:10.000000Z', 'en', 'now'], // a clock that goes wrong
    ['2026-03-10T11:58:30.000000Z', 'en', '1 minute ago'],
    ['2026-03-10T09:59:00.000000Z', 'de', 'vor 2 Stunden'],
    ['2026-03-09T11:00:00.000000Z', 'en', 'yesterday'],
    ['2026-03-02T12:00:00.000000Z', 'en', 'Mar 2, 2026'],
  ])('%s in %s is %s', (created, locale, words) => expect(timeAgo(created, now, locale)).toBe(words));
});
