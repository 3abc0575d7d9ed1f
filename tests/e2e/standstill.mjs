// Runs test files on a machine that seems to be busy: again and again one of their processes (the test, a relay,
// PostgreSQL's) stands still for up to two seconds. A test that fails then, and is right, would fail by bad luck alone
// one day. Not for the files that stop processes themselves (SIGSTOP): their own standstill would end too early.
//   node standstill.mjs FILE…
import { spawn } from 'node:child_process';
import { onExit } from './lib/cleanup.mjs';
import { childrenOf } from './lib/program.mjs';
import { sleep } from './lib/wait.mjs';

const BETWEEN_MS = 1_500;
const STANDSTILL_MS = 2_000;

const below = (limit) => Math.floor(Math.random() * limit);
const family = (pid) => childrenOf(pid).flatMap((child) => [child, ...family(child)]);

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

const tests = spawn(process.execPath, ['--test', ...process.argv.slice(2)], { stdio: 'inherit' });
const ended = new Promise((resolve) => tests.once('exit', (code) => resolve(code ?? 1)));
let status;
ended.then((code) => (status = code));
let stopped = 0;
while (status === undefined) {
  await Promise.race([sleep(below(BETWEEN_MS)), ended]);
  const all = family(tests.pid);
  if (!all.length) continue;
  const pid = all[below(all.length)];
  const goesOn = onExit(() => signal(pid, 'SIGCONT'));
  signal(pid, 'SIGSTOP');
  stopped += 1;
  await sleep(below(STANDSTILL_MS));
  signal(pid, 'SIGCONT');
  goesOn();
}
console.log(`# stood still: ${stopped} times`);
process.exit(status);
