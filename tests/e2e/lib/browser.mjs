// Debian's Chromium, without a window and without a profile: it loads a page, and the page reports by itself.
import { existsSync, mkdtempSync, chownSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { account, root, scratch } from './env.mjs';
import { Program } from './program.mjs';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

function chromium() {
  const path = places.find(existsSync);
  if (!path) throw new Error('Chromium is missing: install the package chromium');
  return path;
}

/** Chromium under remote control, by the playwright-core of web/, which needs Node 20; the caller closes it. */
export function launch() {
  const { chromium: driver } = createRequire(join(root, 'web/package.json'))('playwright-core');
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
  return driver.launch({ executablePath: chromium(), args });
}

/** Loads a URL until `done` has resolved; its value. A failure shows what Chromium said. */
export async function visit(url, done) {
  const path = chromium();
  const home = mkdtempSync(join(scratch, 'chromium-'));
  if (account.uid !== undefined) chownSync(home, account.uid, account.gid);
  // In containers there is nothing to build the sandbox of, nor much of /dev/shm.
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  const program = new Program(path, [...flags, `--user-data-dir=${home}`, url], { env: { HOME: home, TMPDIR: home } });
  try {
    return await Promise.race([done, program.exited.then(() => {
      throw new Error(`Chromium ended; it said:\n${program.output().slice(-2000)}`);
    })]);
  } finally {
    program.signal('SIGTERM'); // its processes end with it and leave the profile alone
    await program.end().catch(() => program.signal('SIGKILL'));
  }
}
