// Fault tests have a short form, for every run, and a full one (HERALD_FAULT=full). What they do at random comes from
// one seed, which is printed: HERALD_FAULT_SEED repeats a run.
import { randomInt } from 'node:crypto';

export const full = process.env.HERALD_FAULT === 'full';

export const seed = Number(process.env.HERALD_FAULT_SEED ?? randomInt(2 ** 31));
console.log(`# HERALD_FAULT_SEED=${seed}${full ? ' HERALD_FAULT=full' : ''}`);

/** The figure of the form that runs. */
export const form = (short, long) => (full ? long : short);

/** A generator of its own for each purpose, so that one does not shift another's numbers (mulberry32). */
export function random(purpose = '') {
  let state = seed;
  for (const character of purpose) state = (Math.imul(state, 31) + character.charCodeAt(0)) | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    /** 0 to 1, the end left out. */
    fraction: next,
    /** A whole number from low to high, both included. */
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    of: (list) => list[Math.floor(next() * list.length)],
    chance: (share) => next() < share,
  };
}
