// The npm package in a real browser, against a real relay and PostgreSQL: tabs that share a socket, a second profile,
// and what goes wrong between them. Needs web/dist.
import { after, afterEach, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { devToken } from './lib/client.mjs';
import { root } from './lib/env.mjs';
import { keyFile, newSecret, seconds, token } from './lib/jwt.mjs';
import { freePort } from './lib/ports.mjs';
import { Cluster } from './lib/postgres.mjs';
import { PATH, startRelay } from './lib/relay.mjs';
import { eventually, sleep } from './lib/wait.mjs';

/** Keeps every event; a token is what the test's `tokenOf` says, else the one in localStorage. */
const PAGE = `<!doctype html><title>pgherald</title><script type="module">
  import { createClient } from './index.js';
  const { url, name } = Object.fromEntries(new URL(location).searchParams);
  if (name) localStorage.setItem('token', name);
  globalThis.client = createClient({ url, getToken: globalThis.tokenOf });
  globalThis.events = [];
  client.subscribe('*', (event) => events.push(event));
  client.connect().catch(() => {});
</script>`;

/** The client waits for 3, 6, 12, 24 s between its dials: a relay that was slow to start may have missed one. */
const PATIENT_MS = 60_000;

/** A web site that serves the page and the package as it is built. */
async function openSite() {
  const port = await freePort();
  const server = http.createServer(async ({ url }, response) => {
    const script = /^\/[\w-]+\.js$/.exec(url); // the entry, and what it shares with the others
    response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
    response.end(script ? await readFile(join(root, 'web/dist', script[0])) : PAGE);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { origin: `http://127.0.0.1:${port}`, close: () => (server.closeAllConnections(), server.close()) };
}

/** In front of a relay: passes HTTP on and ends every WebSocket, as some networks do. */
async function openNarrowProxy(relay) {
  const port = await freePort();
  let passable = Promise.resolve();
  let mend = () => {};
  const server = http.createServer(async (request, response) => {
    await passable;
    if (response.destroyed) return;
    const { method, url, headers } = request;
    const passed = http.request({ host: '127.0.0.1', port: relay.port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  });
  server.on('upgrade', (request, socket) => socket.destroy());
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: (path) => `ws://127.0.0.1:${port}${path}`,
    get: (path) => fetch(`http://127.0.0.1:${port}${path}`),
    /** What comes from now on waits for mend(). */
    cut: () => {
      passable = new Promise((resolve) => (mend = resolve));
      server.closeAllConnections();
    },
    mend: () => mend(),
    close: () => (server.closeAllConnections(), server.close()),
  };
}

describe('the web client in a browser', () => {
  let cluster;
  let db;
  let relay;
  let site;
  let otherSite;
  let browser;
  const contexts = [];

  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    site = await openSite();
    otherSite = await openSite();
    relay = await startRelay(db, { HERALD_ALLOWED_ORIGINS: site.origin });
    browser = await launch();
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
  });
  after(async () => {
    await browser?.close();
    site?.close();
    otherSite?.close();
    await cluster?.end();
  });

  /** A browser profile of its own. */
  async function profile() {
    const context = await browser.newContext();
    contexts.push(context);
    return context;
  }

  async function tab(context, user, { at = site, of = relay } = {}) {
    const page = await context.newPage();
    const query = new URLSearchParams({ url: of.url(PATH), ...(user && { name: devToken(user) }) });
    await page.goto(`${at.origin}/?${query}`);
    return page;
  }

  const info = (page) => page.evaluate(() => client.getDebugInfo());
  const titles = (page) => page.evaluate(() =>
    events.filter(({ type }) => type === 'new_notification').map(({ notification }) => notification.title));
  const counts = (page) => page.evaluate(() => events.filter(({ type }) => type === 'unread_count').map(({ count }) => count));
  const state = (page, expected) => eventually(`the client to be ${expected}`, async () => {
    const { state: now, closes } = await info(page);
    if (now === expected) return true;
    throw new Error(`it is ${now}; closes ${JSON.stringify(closes)}`);
  }, PATIENT_MS);
  const shows = (page, expected) => eventually(`the tab to have ${expected}`, async () => {
    const seen = await titles(page);
    assert.deepEqual(seen, expected);
    return true;
  }, PATIENT_MS);
  const leaders = async (pages) => (await Promise.all(pages.map(info))).filter(({ leader }) => leader).length;

  it('shows an INSERT in two tabs, that share one socket, and in another profile', async () => {
    const user = await db.person();
    const [here, there] = [await profile(), await profile()];
    const pages = [await tab(here, user), await tab(here, user), await tab(there, user)];
    for (const page of pages) await state(page, 'OPEN');
    assert.deepEqual([await leaders(pages.slice(0, 2)), await leaders(pages.slice(2))], [1, 1]);
    await db.notify(user, 'one');
    for (const page of pages) await shows(page, ['one']);
    for (const page of pages) await eventually('the count', async () => (await counts(page)).at(-1) === 1);
  });

  it('reads in one tab what is then read in all, and in the table', async () => {
    const user = await db.person();
    const [here, there] = [await profile(), await profile()];
    const pages = [await tab(here, user), await tab(here, user), await tab(there, user)];
    for (const page of pages) await state(page, 'OPEN');
    const id = await db.notify(user, 'one');
    for (const page of pages) await shows(page, ['one']);
    const answer = await pages[1].evaluate((one) => client.markAsRead(one), id);
    assert.equal(answer.notification.is_read, true);
    assert.equal(await db.unread(user), 0);
    for (const page of pages) {
      await eventually('the mark', () => page.evaluate(() => events.filter(({ type }) => type === 'notification_updated').length === 1));
      await eventually('the count', async () => (await counts(page)).at(-1) === 0);
    }
  });

  it('loses and doubles nothing when the relay is killed and started again', async () => {
    const user = await db.person();
    const [here, there] = [await profile(), await profile()];
    const pages = [await tab(here, user), await tab(here, user), await tab(there, user)];
    for (const page of pages) await state(page, 'OPEN');
    await db.notify(user, 'before');
    for (const page of pages) await shows(page, ['before']);
    await relay.kill();
    for (const page of pages) await state(page, 'RECONNECTING');
    await db.notify(user, 'during');
    await relay.again();
    for (const page of pages) await state(page, 'OPEN');
    await db.notify(user, 'after');
    for (const page of pages) await shows(page, ['before', 'during', 'after']);
  });

  describe('where no WebSocket gets through', () => {
    let narrow;
    before(async () => (narrow = await openNarrowProxy(relay)));
    after(() => narrow?.close());

    it('turns to Server-Sent Events, in all tabs, says so, and misses nothing when they break', async () => {
      const user = await db.person();
      const here = await profile();
      const pages = [await tab(here, user, { of: narrow }), await tab(here, user, { of: narrow })];
      for (const page of pages) await state(page, 'OPEN');
      for (const page of pages) {
        assert.equal((await info(page)).transport, 'sse');
        assert.equal(await page.evaluate(() => events.filter(({ type }) => type === 'state').at(-1).transport), 'sse');
      }
      assert.equal(await leaders(pages), 1);
      await db.notify(user, 'one');
      for (const page of pages) await shows(page, ['one']);
      narrow.cut();
      for (const page of pages) await state(page, 'RECONNECTING');
      await db.notify(user, 'two');
      narrow.mend();
      for (const page of pages) await shows(page, ['one', 'two']);
      const welcomes = (page) => page.evaluate(() => events.filter(({ type }) => type === 'connected').map((frame) => frame.unread_count));
      for (const page of pages) assert.deepEqual(await welcomes(page), [0, 2]);
    });

    it('reads pages and writes reads by HTTP', async (t) => {
      if ((await narrow.get('/api/v1/notifications')).status === 404) return t.skip('this relay has no HTTP API');
      const user = await db.person();
      const ids = [await db.notify(user, 'one'), await db.notify(user, 'two')];
      const page = await tab(await profile(), user, { of: narrow });
      await state(page, 'OPEN');
      const unread = await page.evaluate(() => client.getUnreadNotifications(1));
      assert.deepEqual([unread.count, unread.notifications.map(({ title }) => title)], [2, ['two']]);
      const older = await page.evaluate((before) => client.getNotifications({ before }), unread.next);
      assert.deepEqual(older.notifications.map(({ id }) => id), [ids[0]]);
      const read = await page.evaluate((id) => client.markAsRead(id), ids[0]);
      assert.equal(read.notification.is_read, true);
      assert.equal(await db.unread(user), 1);
      const missing = await page.evaluate(() => client.markAsRead('00000000-0000-0000-0000-000000000000').catch(({ code }) => code));
      assert.equal(missing, 'not_found');
      await page.evaluate(() => client.markAllAsRead());
      assert.equal(await db.unread(user), 0);
      await eventually('the count', async () => (await counts(page)).at(-1) === 0);
    });
  });

  for (const [how, end] of [
    ['closed', (page) => page.close()],
    ['crashed', async (page) => {
      const session = await page.context().newCDPSession(page);
      await Promise.race([session.send('Page.crash').catch(() => {}), sleep(1000)]);
    }],
  ]) {
    it(`goes on in another tab when the leader is ${how}`, async () => {
      const user = await db.person();
      const context = await profile();
      const first = await tab(context, user);
      await state(first, 'OPEN');
      const others = [await tab(context, user), await tab(context, user)];
      for (const page of others) await state(page, 'OPEN');
      await db.notify(user, 'before');
      for (const page of others) await shows(page, ['before']);
      await end(first);
      await db.notify(user, 'during');
      await eventually('a new leader', async () => (await leaders(others)) === 1, PATIENT_MS);
      for (const page of others) await state(page, 'OPEN');
      await db.notify(user, 'after');
      for (const page of others) await shows(page, ['before', 'during', 'after']);
    });
  }

  it('catches up when the browser comes online again', async () => {
    const user = await db.person();
    const context = await profile();
    const page = await tab(context, user);
    await state(page, 'OPEN');
    await db.notify(user, 'before');
    await shows(page, ['before']);
    await context.setOffline(true);
    await relay.kill();
    await state(page, 'RECONNECTING');
    await db.notify(user, 'during');
    await relay.again();
    await context.setOffline(false);
    await state(page, 'OPEN');
    await shows(page, ['before', 'during']);
  });

  it('takes a new token before the old one expires, and after one was refused', async () => {
    const secret = newSecret();
    const guarded = await startRelay(db, {
      HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(secret), HERALD_ALLOWED_ORIGINS: site.origin,
    });
    const user = await db.person();
    const lifetimes = [-600, 63, 600]; // refused, about to expire, good
    const asked = [];
    const context = await profile();
    await context.exposeFunction('tokenOf', ({ renew }) => {
      asked.push(renew);
      return token(secret, { sub: `u-${user}`, exp: seconds() + (lifetimes.shift() ?? 600) });
    });
    const page = await tab(context, null, { of: guarded });
    await state(page, 'OPEN');
    await eventually('a new token on the same connection', () => page.evaluate(() => events.some(({ type }) => type === 'authenticated')), 15_000);
    assert.deepEqual(asked, [false, true, true]);
    assert.deepEqual((await info(page)).closes.map(({ code }) => code), [4001]);
    await db.notify(user, 'one');
    await shows(page, ['one']);
  });

  it('stops for who is unknown', async () => {
    const page = await tab(await profile(), 'nobody-of-that-name');
    await state(page, 'FAILED');
    assert.deepEqual((await info(page)).closes.map(({ code }) => code), [4000]);
  });

  it('logs out in every tab when the token goes away', async () => {
    const user = await db.person();
    const context = await profile();
    const pages = [await tab(context, user), await tab(context, user)];
    for (const page of pages) await state(page, 'OPEN');
    await pages[1].evaluate(() => {
      localStorage.removeItem('token');
      client.disconnect();
    });
    for (const page of pages) await state(page, 'CLOSED');
  });

  it('gets nothing on a page of another origin', async () => {
    const user = await db.person();
    const page = await tab(await profile(), user, { at: otherSite });
    await state(page, 'RECONNECTING');
    assert.equal((await info(page)).userId, null);
    await db.notify(user, 'one');
    await sleep(500);
    assert.deepEqual(await page.evaluate(() => events.filter(({ type }) => type !== 'state')), []);
  });
});
