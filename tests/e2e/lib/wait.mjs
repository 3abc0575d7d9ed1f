// Waiting with a deadline, never with a bare sleep where an event can be had.
import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from './env.mjs';

export { sleep };

/** The answer of `attempt` once it is truthy; the last error or answer is in the failure. */
export async function eventually(what, attempt, timeout_ms = 10_000) {
  const deadline = Date.now() + timeout_ms * patience;
  let last;
  for (;;) {
    try {
      last = await attempt();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`${what}: not within ${timeout_ms * patience} ms; last: ${last?.stack ?? JSON.stringify(last)}`);
    }
    await sleep(20);
  }
}

/** `promise`, or a failure that names what was waited for. */
export async function within(timeout_ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what()}: not within ${timeout_ms * patience} ms`)),
      timeout_ms * patience,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls `action` every `period_ms`, on the average, until `signal` is aborted. */
export async function every(period_ms, signal, action) {
  for (let next = performance.now(); !signal.aborted; next += period_ms) {
    action();
    await sleep(Math.max(0, next + period_ms - performance.now()));
  }
}

/** The largest number of times within a window. */
export function mostWithin(window_ms, times) {
  const sorted = [...times].sort((a, b) => a - b);
  return Math.max(...sorted.map((time, i) => i + 1 - sorted.findIndex((other) => other > time - window_ms)));
}
