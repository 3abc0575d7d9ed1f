// Nothing a test started outlives its process: undo steps run, last one first,
// at a normal end, after an uncaught error and on a signal. They are synchronous.
const steps = [];

/** Registers an undo step; the answer takes it back. */
export function onExit(step) {
  steps.push(step);
  return () => {
    const i = steps.indexOf(step);
    if (i >= 0) steps.splice(i, 1);
  };
}

/** Blocks the thread; only for undo steps, which cannot await. */
export function blockFor(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

process.on('exit', () => {
  while (steps.length) {
    try {
      steps.pop()();
    } catch (error) {
      console.error('clean-up:', error);
    }
  }
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(1));
}
