/* When to dial again. */

/** Retries in a series. */
export const ATTEMPTS = 5;
const FIRST_MS = 3000;

/** 3, 6, 12, 24, 48 s. `atLeast`: what an error of the relay asked for. `exactly`: what a relay that stops has drawn for
 * this client, so that not all of its clients come at once. */
export function retryDelay(attempts: number, atLeast: number, exactly: number | null): number {
  return exactly ?? Math.max(FIRST_MS * 2 ** attempts, atLeast);
}
