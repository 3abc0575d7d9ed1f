// The notification centre on the demo page, in a real browser, against a real relay and a real PostgreSQL.
// HERALD_E2E_IMAGES=FOLDER keeps pictures of it.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { axe, longestTask, watch } from './lib/pages.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually, sleep } from './lib/wait.mjs';

const SAMPLES = [
  ['Weekly report is ready', '212 orders, 4 % more than the week before.', 'info', 'reports', '3 days'],
  ['Refund for order 2033 went out', '59.00 EUR to the original card.', 'success', 'billing', '26 hours'],
  ['Stock is low: desk lamp', 'Four are left; about two days at the current rate.', 'warning', 'stock', '3 hours'],
  ['Order 2047 was delivered', 'Signed for at the front desk.', 'success', 'shipping', '47 minutes'],
  ['Mira mentioned you', 'Could you check the delivery dates before Thursday?', 'info', 'team', '12 minutes'],
  ['Payment failed for order 2041', 'The card was declined. The next try is tomorrow at 09:00.', 'error', 'billing', '2 minutes'],
];

describe('the notification centre in a browser', () => {
  let cluster;
  let db;
  let relay;
  let browser;
  let complaints = [];

  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    const admin = await db.session('postgres');
    await admin.query('grant herald_app to relay');
    await admin.end();
    relay = await startRelay(db, { HERALD_DEV_PSQL: 'psql -h .pgherald/run -U postgres' });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await cluster?.end();
  });

  /** A browser of its own, as of another machine. */
  const machine = (options = {}) =>
    browser.newContext({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5, ...options });

  async function tab(context, { connected = true } = {}) {
    const page = watch(await context.newPage(), complaints);
    await page.goto(`http://127.0.0.1:${relay.port}/`);
    if (connected) await page.waitForFunction(() => !document.querySelector('.switches button:disabled'));
    return page;
  }

  const windowOf = (page, user = 'alice') => page.locator(`[data-user=${user}]`);
  const bell = (page, user) => windowOf(page, user).locator('.pgh-bell');
  const state = (page, words) => windowOf(page).locator('.pgh-state', { hasText: words });
  const items = (page, user) => windowOf(page, user).locator('.pgh-item');
  const badge = (page, user = 'alice') =>
    page.evaluate((name) => document.querySelector(`[data-user=${name}] .pgh-badge`)?.textContent ?? '0', user);
  const shows = (page, count, user) =>
    eventually(`a badge of ${count}`, async () => (await badge(page, user)) === String(count) || badge(page, user).then((text) => Promise.reject(new Error(`it is ${text}`))));
  const open = async (page, user) => {
    await bell(page, user).click();
    await windowOf(page, user).getByRole('dialog').waitFor();
  };
  const clear = () => db.sql('delete from herald.notifications');
  const seed = async () => {
    for (const [title, message, severity, category, age] of SAMPLES) {
      await db.sql(`insert into herald.notifications (user_id, title, message, severity, category, action_url, created_at, read_at)
        values ('u-alice', $1, $2, $3, $4, '#x', now() - $5::interval, case when $5::interval > '1 day' then now() end)`,
        [title, message, severity, category, age]);
    }
  };
  const picture = async (page, name) => {
    if (process.env.HERALD_E2E_IMAGES) await page.screenshot({ path: join(process.env.HERALD_E2E_IMAGES, `${name}.png`), animations: 'disabled' });
  };

  /** Nothing wrong in this state, and a picture of it. */
  async function accessible(page, name) {
    // The panel has faded in: axe would see the contrast of a half transparent one.
    await page.waitForFunction(() => document.getAnimations().every(({ effect, playState }) =>
      playState === 'finished' || effect.getComputedTiming().endTime === Infinity));
    assert.deepEqual(await axe(page), []);
    await picture(page, name);
  }

  it('moves in two tabs and a second browser when a row is inserted, and in nobody else\'s', async () => {
    const [one, other] = [await machine(), await machine()];
    const pages = [await tab(one), await tab(one), await tab(other)];
    await db.notify('alice', 'From SQL');
    for (const page of pages) {
      await shows(page, 1);
      assert.equal(await bell(page).getAttribute('aria-label'), 'Notifications, 1 unread');
      await eventually('the title', async () => (await page.title()) === '(1) pgherald demo');
      assert.equal(await badge(page, 'bob'), '0');
    }
    await open(pages[2]);
    assert.match(await items(pages[2]).textContent(), /From SQL/);

    await items(pages[2]).getByRole('button', { name: 'Mark as read: From SQL' }).click();
    for (const page of pages) await shows(page, 0);
    assert.equal(await db.unread('alice'), 0);
    await open(pages[0]);
    assert.equal(await items(pages[0]).getAttribute('data-unread'), null);
    await Promise.all([one.close(), other.close()]);
  });

  it('marks all as read in all tabs, those not loaded included', async () => {
    const context = await machine();
    const pages = [await tab(context), await tab(context)];
    await db.sql(`insert into herald.notifications (user_id, title) select 'u-alice', 'n' || n from generate_series(1, 60) n`);
    for (const page of pages) await shows(page, 60);
    await open(pages[0]);
    await windowOf(pages[0]).getByRole('button', { name: 'Mark all as read' }).click();
    for (const page of pages) await shows(page, 0);
    await eventually('the rows', async () => (await db.unread('alice')) === 0);
    await context.close();
  });

  it('loses nothing and doubles nothing when the relay is killed and comes back', async () => {
    await clear();
    const context = await machine();
    const page = await tab(context);
    await db.notify('alice', 'before');
    await shows(page, 1);
    await open(page);
    await relay.kill();
    await state(page, 'Reconnecting').waitFor();
    await picture(page, 'offline');
    await db.notify('alice', 'meanwhile');
    await relay.again();
    await state(page, 'Live').waitFor({ timeout: 60_000 }); // 24 s later if it was not there for a dial
    await db.notify('alice', 'after');
    await shows(page, 3);
    await eventually('three rows', async () => (await items(page).count()) === 3);
    assert.deepEqual(await items(page).locator('h3').allTextContents(), ['Unread: after', 'Unread: meanwhile', 'Unread: before']);
    await context.close();
  });

  it('comes back when the connection is dropped or the token refused, by the page\'s own switches', async () => {
    const context = await machine();
    const page = await tab(context);
    const press = (name) => windowOf(page).getByRole('button', { name }).click();
    for (const [name, code] of [['Drop connection', '1005'], ['Expire token', '4001']]) {
      await press(name);
      await open(page);
      await windowOf(page).getByText('Connection details').click();
      const closes = windowOf(page).locator('.pgh-debug div', { hasText: 'closes' });
      await eventually(`a close with ${code}`, async () => (await closes.textContent()).includes(code));
      await state(page, 'Live').waitFor({ timeout: 60_000 });
      await page.keyboard.press('Escape');
    }
    await context.close();
  });

  it('scrolls through a thousand rows', async () => {
    await clear();
    await db.sql(`insert into herald.notifications (user_id, title, message, created_at)
      select 'u-alice', 'Row ' || n, 'Text ' || n, now() - n * interval '1 second' from generate_series(1, 1000) n`);
    const context = await machine();
    const page = await tab(context);
    await open(page);
    for (let count = 20; count < 1000; count += 20) {
      await windowOf(page).getByRole('button', { name: 'Load more' }).click();
      await page.waitForFunction((more) => document.querySelectorAll('.pgh-item').length > more, count);
    }
    assert.equal(await items(page).count(), 1000);
    // The whole list is scrolled through, frame by frame.
    const longest_ms = await longestTask(page, () => page.evaluate(() => new Promise((resolve) => {
      const list = document.querySelector('.pgh-scroll');
      list.scrollTop = 0;
      const step = () => {
        list.scrollTop += 1000;
        if (list.scrollTop + list.clientHeight < list.scrollHeight - 1) requestAnimationFrame(step);
        else requestAnimationFrame(resolve);
      };
      requestAnimationFrame(step);
    })));
    assert.ok(longest_ms < 500, `a frame took ${longest_ms} ms`);
    await items(page).first().focus();
    await page.keyboard.press('End');
    assert.match(await page.evaluate(() => document.activeElement.textContent), /Row 1000/);
    await picture(page, 'thousand');
    await context.close();
  });

  it('stays responsive under a hundred pushes a second', async () => {
    await clear();
    const context = await machine();
    const page = await tab(context);
    await open(page);
    const longest_ms = await longestTask(page, async () => {
      for (let i = 0; i < 30; i += 1) {
        await Promise.all([db.sql(`insert into herald.notifications (user_id, title) select 'u-alice', 'Push ' || n from generate_series(1, 10) n`), sleep(100)]);
      }
      await eventually('all rows', async () => (await items(page).count()) === 300);
      await shows(page, '99+');
    });
    assert.ok(longest_ms < 500, `the page stood still for ${longest_ms} ms`);
    await context.close();
  });

  it('is used by the keyboard alone', async () => {
    await clear();
    const id = await db.notify('alice', 'By keyboard');
    const context = await machine();
    const page = await tab(context);
    await shows(page, 1);
    await bell(page).focus();
    await page.keyboard.press('Enter');
    await items(page).waitFor(); // its count was there before
    const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);
    const reached = [];
    while (!/Mark as read:/.test(reached.at(-1)) && reached.length < 8) {
      await page.keyboard.press('Tab');
      reached.push(await focused());
    }
    assert.deepEqual([reached[0], reached.at(-1)], ['Close', 'Mark as read: By keyboard']);
    await page.keyboard.press('Enter');
    await eventually('the read', () => db.value('select read_at from herald.notifications where id = $1', [id]));
    await page.keyboard.press('Escape');
    assert.match(await focused(), /^Notifications/);
    await context.close();
  });

  it('has targets of at least 24 pixels', async () => {
    await clear();
    await seed();
    const context = await machine();
    const page = await tab(context);
    await open(page);
    await items(page).nth(5).waitFor();
    const small = await windowOf(page).locator('.pgh').evaluate((centre) => [...centre.querySelectorAll('button, a, summary')]
      .map((element) => [element.textContent || element.ariaLabel, element.getBoundingClientRect()])
      .filter(([, { width, height }]) => width < 24 || height < 24).map(([name, { width, height }]) => `${name} ${width}×${height}`));
    assert.deepEqual(small, []);
    await context.close();
  });

  it('shows a desktop notification once, not once a tab, and closes it when it is read elsewhere', async () => {
    await clear();
    const context = await machine({ permissions: ['notifications'] });
    await context.addInitScript(() => {
      document.hasFocus = () => false; // the user is elsewhere
      globalThis.shown = [];
      const Real = Notification;
      globalThis.Notification = class extends Real {
        constructor(title, options) {
          super(title, options);
          globalThis.shown.push(this);
        }
        close() {
          this.closed = true;
          super.close();
        }
      };
    });
    const pages = [await tab(context), await tab(context)];
    const all = async () => (await Promise.all(pages.map((page) => page.evaluate(() => globalThis.shown.map(({ title, closed }) => ({ title, closed: closed ?? false })))))).flat();
    const id = await db.notify('alice', 'Look here');
    await eventually('it to be shown', async () => (await all()).length > 0);
    await sleep(1_000); // for the other tab
    assert.deepEqual(await all(), [{ title: 'Look here', closed: false }]);
    await db.sql('select herald.mark_read($1, array[$2::uuid])', ['u-alice', id]);
    await eventually('it to be closed', async () => (await all())[0].closed);
    await context.close();
  });

  describe('is without a finding of axe', () => {
    let context;
    let page;
    before(async () => {
      await clear();
      context = await machine();
      page = await tab(context);
    });
    after(() => context?.close());

    const choose = (name) => page.getByRole('radio', { name, exact: true }).check();

    it('empty', async () => {
      await open(page);
      await windowOf(page).getByText('You are all caught up').waitFor();
      await accessible(page, 'empty');
      await page.keyboard.press('Escape');
    });

    it('closed', async () => {
      await seed();
      await shows(page, 4);
      await accessible(page, 'closed');
    });

    it('open', async () => {
      await page.reload();
      await shows(page, 4);
      await open(page);
      await items(page).nth(5).waitFor();
      await accessible(page, 'open');
      await page.keyboard.press('Escape');
    });

    it('dark', async () => {
      await choose('Dark');
      await open(page);
      await accessible(page, 'dark');
      await page.keyboard.press('Escape');
      await choose('Light');
    });

    it('from right to left', async () => {
      await choose('العربية');
      await open(page);
      await accessible(page, 'rtl');
      await page.keyboard.press('Escape');
      await choose('English');
    });

    it('in forced colours', async () => {
      await page.emulateMedia({ forcedColors: 'active', reducedMotion: 'reduce' });
      await open(page);
      await accessible(page, 'forced-colors');
      await page.keyboard.press('Escape');
      await page.emulateMedia({ forcedColors: 'none' });
    });

    it('on a small screen', async () => {
      await page.setViewportSize({ width: 360, height: 640 });
      await open(page);
      await accessible(page, 'small');
      await page.keyboard.press('Escape');
      await page.setViewportSize({ width: 1280, height: 800 });
    });

    it('with an error, which Retry mends', async () => {
      await open(page);
      await db.sql(`select herald.disconnect_user('u-alice')`);
      await windowOf(page).getByRole('button', { name: 'Retry' }).waitFor();
      await accessible(page, 'error');
      await windowOf(page).getByRole('button', { name: 'Retry' }).click();
      await state(page, 'Live').waitFor();
      await windowOf(page).getByRole('button', { name: 'Retry' }).waitFor({ state: 'detached' });
    });
  });

  it('never violated the page\'s content security policy, and nothing else was wrong', () => {
    assert.deepEqual(complaints, []);
  });
});
