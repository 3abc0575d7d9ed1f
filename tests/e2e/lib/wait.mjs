// Waiting with a deadline, never with a bare sleep where an event can be had.
import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from './env.mjs';

export { sleep };

// Deadlines count the time in which this process ran. When the processor was taken away for seconds, what has come
// meanwhile is looked at first, and who is waited for has got the processor back no earlier.
const STANDSTILL_MS = 200;
let counted_ms = 0;
let looked = performance.now();

function ranFor() {
  const now = performance.now();
  counted_ms += Math.min(now - looked, STANDSTILL_MS);
  looked = now;
  return counted_ms;
}

setInterval(ranFor, STANDSTILL_MS / 4).unref();

/** The answer of `attempt` once it is truthy; the last error or answer is in the failure. */
export async function eventually(what, attempt, timeout_ms = 10_000) {
  const deadline = ranFor() + timeout_ms * patience;
  let last;
  for (;;) {
    const isLast = ranFor() > deadline; // it begins after the deadline: what was true by then is seen
    try {
      last = await attempt();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (isLast) {
      throw new Error(`${what}: not within ${timeout_ms * patience} ms; last: ${last?.stack ?? JSON.stringify(last)}`);
    }
    await sleep(20);
  }
}

/** `promise`, or a failure that names what was waited for. */
export async function within(timeout_ms, what, promise) {
  const deadline = ranFor() + timeout_ms * patience;
  let timer;
  const late = new Promise((_, reject) => {
    const look = () => {
      const left_ms = deadline - ranFor();
      if (left_ms > 0) timer = setTimeout(look, left_ms);
      else reject(new Error(`${what()}: not within ${timeout_ms * patience} ms`));
    };
    look();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What `attempt` shows, the first time that it took less than `limit_ms`: what must be done before a time limit of the
 * relay's shows nothing, good or bad, when somebody stood still for longer.
 */
export async function inTime(limit_ms, attempt) {
  for (let tries = 1; ; tries += 1) {
    const start = performance.now();
    const [end] = await Promise.allSettled([attempt()]);
    if (performance.now() - start < limit_ms || tries === 5) {
      if (end.status === 'rejected') throw end.reason;
      return end.value;
    }
  }
}

/** How long the quickest of several calls took, in ms: the machine may have stood still for one of them. */
export async function quickest(times, action) {
  let best_ms = Infinity;
  for (let i = 0; i < times; i += 1) {
    const start = performance.now();
    await action();
    best_ms = Math.min(best_ms, performance.now() - start);
  }
  return best_ms;
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
