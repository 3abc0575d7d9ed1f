/* Keeps a connection's messages below the relay's default limit (20 a second, 40 at once), also when a full queue goes
 * out after a break. */
import type { Environment } from './types.js';

const BURST = 30;
const PER_SECOND = 15;

export interface Pace<T> {
  push(item: T): void;
  /** Forgets what waits. */
  clear(): void;
}

export function createPace<T>(env: Environment, send: (item: T) => void): Pace<T> {
  const waiting: T[] = [];
  let allowed = BURST;
  let since = env.now();
  let timer: unknown;

  function run(): void {
    timer = undefined;
    const now = env.now();
    allowed = Math.min(BURST, allowed + (Math.max(0, now - since) * PER_SECOND) / 1000);
    since = now;
    for (; waiting.length && allowed >= 1; allowed--) send(waiting.shift()!);
    if (waiting.length) timer = env.setTimeout(run, 1000 / PER_SECOND);
  }
  return {
    push(item) {
      waiting.push(item);
      if (timer === undefined) run();
    },
    clear() {
      waiting.length = 0;
      env.clearTimeout(timer);
      timer = undefined;
    },
  };
}
