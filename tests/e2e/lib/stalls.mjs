// How long processes stood still: they could run, and had no processor. On a machine that is shared this may be for
// seconds at any moment, and says nothing about the program under test.
import { readFileSync } from 'node:fs';

/** How long it has waited for a processor in all its life, in ms; null when it is gone. */
function waited_ms(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return null;
  }
}

export class Stalls {
  #looked = performance.now();
  #last = new Map(); // pid -> how long it has waited, as seen last
  #counted = []; // {at, waited_ms}, of all together
  #timer;

  /** Watches the processes and this one, until `signal` is aborted. `pids` may be a function, if they change. */
  constructor(pids, signal, sample_ms = 50) {
    this.sample_ms = sample_ms;
    this.pids = typeof pids === 'function' ? pids : () => pids;
    this.#sample();
    this.#counted = [];
    this.#timer = setInterval(() => this.#sample(), sample_ms).unref();
    signal?.addEventListener('abort', () => clearInterval(this.#timer), { once: true });
  }

  #sample() {
    const at = performance.now();
    let sum_ms = 0;
    for (const pid of ['self', ...this.pids()]) {
      const now_ms = waited_ms(pid);
      if (now_ms === null) continue;
      // One that is new has waited since it began.
      sum_ms += Math.max(0, now_ms - (this.#last.get(pid) ?? 0));
      this.#last.set(pid, now_ms);
    }
    // While the machine as a whole stood still nobody waited for a processor; but this look at it is late.
    this.#counted.push({ at, waited_ms: Math.max(sum_ms, at - this.#looked - this.sample_ms) });
    this.#looked = at;
  }

  /** How long they have waited since then, all together, in ms: what came later may be late by so much. */
  since(start) {
    this.#sample();
    return this.#counted.reduce((sum, { at, waited_ms: ms }) => sum + (at >= start ? ms : 0), 0);
  }

  /** The most that they have waited, all together, within so long: what was spread may have been pressed together by so much. */
  most(window_ms) {
    this.#sample();
    let [from, sum_ms, most_ms] = [0, 0, 0];
    for (const { at, waited_ms: ms } of this.#counted) {
      sum_ms += ms;
      for (; this.#counted[from].at < at - window_ms; from += 1) sum_ms -= this.#counted[from].waited_ms;
      most_ms = Math.max(most_ms, sum_ms);
    }
    return most_ms;
  }

  stop() {
    clearInterval(this.#timer);
  }
}
