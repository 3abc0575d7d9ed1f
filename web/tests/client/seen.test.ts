import { describe, expect, it } from 'vitest';
import { createSeen } from '../../src/seen.js';

describe('versions that were shown', () => {
  it('are remembered of the last 1000 notifications', () => {
    const seen = createSeen();
    seen.isNew('first', 2);
    for (let i = 1; i < 1000; i++) seen.isNew(`n${i}`, 1);
    expect(seen.isNew('first', 2)).toBe(false);
    seen.isNew('n1000', 1);
    expect([seen.isNew('n2', 1), seen.isNew('first', 1)]).toEqual([false, true]);
  });

  it('only grow', () => {
    const seen = createSeen();
    expect([seen.isNew('a', 1), seen.isNew('a', 3), seen.isNew('a', 2), seen.isNew('a', 3), seen.isNew('a', 4)]).toEqual([
      true, true, false, false, true,
    ]);
  });
});
