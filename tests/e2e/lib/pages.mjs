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
    if (message.type() !== 'error' || /WebSocket|net::ERR/.test(message.text())) return;
    if (/status of 503/.test(message.text()) && new URL(message.location().url).pathname.endsWith('/stream')) return;
    complaints.push(message.text());
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

/**
 * How long the longest task of any page was at work while `during` ran, in ms: the time that its thread had a processor,
 * and not the time that a busy machine took from it.
 */
export async function longestTask(page, during) {
  const browser = page.context().browser();
  await browser.startTracing(page, { categories: ['disabled-by-default-devtools.timeline', '__metadata'] });
  await during();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const mains = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain')
    .map(({ pid, tid }) => `${pid} ${tid}`));
  const tasks = traceEvents.filter(({ name, pid, tid }) => name === 'RunTask' && mains.has(`${pid} ${tid}`));
  if (tasks.length === 0) throw new Error('the trace has no task of a page');
  return Math.max(...tasks.map(({ tdur }) => tdur ?? 0)) / 1_000;
}
