// Pages under remote control: every complaint is kept, and axe looks at them.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './env.mjs';

const load = createRequire(join(root, 'web/package.json'));

/** Keeps what the page complains of, violations of its content security policy included, in `complaints`. A connection
 * that fails is no complaint: tests break them. */
export function watch(page, complaints) {
  page.on('pageerror', (error) => complaints.push(error.stack));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/WebSocket|net::ERR/.test(message.text())) complaints.push(message.text());
  });
  return page;
}

/** What axe finds on the page, one line each. */
export async function axe(page) {
  const { source } = load('axe-core');
  // Not as a script element: the page's policy forbids it.
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)}`));
}
