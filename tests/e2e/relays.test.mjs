// Several relays on one database, and what is left when one of them goes away.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { connect, Mirror, readAll } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually, sleep } from './lib/wait.mjs';

describe('relays', () => {
  let cluster;
  before(async () => (cluster = await Cluster.start()));
  after(() => cluster?.end());

  describe('two relays, one listening and one polling', () => {
    let db;
    let relays;
    before(async () => {
      db = await cluster.database();
      relays = [
        await startRelay(db, { HERALD_FEED: 'notify' }),
        await startRelay(db, { HERALD_FEED: 'poll', HERALD_WORKERS: '2' }),
      ];
    });

    async function open() {
      const user = await db.person();
      return { user, tabs: await Promise.all(relays.map((relay) => connect(relay, user))) };
    }

    it('an insert reaches the tabs of both', async () => {
      const { user, tabs } = await open();
      const id = await db.notify(user, 'x');
      for (const tab of tabs) assert.equal((await tab.next('new_notification')).notification.id, id);
      for (const tab of tabs) await tab.next('unread_count', (frame) => frame.count === 1);
    });

    it('a read in one is a read in the other, both ways', async () => {
      const { user, tabs } = await open();
      for (const [asking, other] of [tabs, [...tabs].reverse()]) {
        const id = await db.notify(user, 'x');
        await Promise.all(tabs.map((tab) => tab.next('new_notification')));
        const answer = await asking.ask({ type: 'mark_read', notification_id: id });
        const seen = await other.next('notification_updated');
        assert.deepEqual(seen.notification, answer.notification);
        await other.next('unread_count', (frame) => frame.count === 0);
      }
    });

    it('both mark the same notifications at once without harm', async () => {
      const { user, tabs } = await open();
      const rows = await db.sql(`insert into herald.notifications (user_id, title)
                                 select $1, 'n' from generate_series(1, 100) returning id::text`, [`u-${user}`]);
      const ids = rows.map((row) => row.id);
      tabs[0].send({ type: 'mark_read', notification_ids: ids, ref: 'a' });
      tabs[1].send({ type: 'mark_read', notification_ids: [...ids].reverse(), ref: 'a' });
      for (const tab of tabs) {
        const answers = await tab.take(100, 'notification_updated', (frame) => frame.ref === 'a');
        assert.ok(answers.every((frame) => frame.success && frame.notification.version === 2));
      }
      assert.ok(Object.values(await db.versions(user)).every((version) => version === 2));
    });

    it('broadcasts and disconnects reach the tabs of both', async () => {
      const { user, tabs } = await open();
      await db.sql('select herald.broadcast_to_user($1, $2::json)', [`u-${user}`, '{"type":"system_alert"}']);
      for (const tab of tabs) await tab.next('system_alert');
      await db.sql('select herald.disconnect_user($1)', [`u-${user}`]);
      for (const tab of tabs) assert.equal((await tab.closed).code, 4002);
    });

    it('a relay that is killed leaves the other at work', async () => {
      const { user, tabs } = await open();
      await relays[0].kill();
      await db.notify(user, 'x');
      await tabs[1].next('new_notification');
      await relays[0].again();
      const back = await connect(relays[0], user);
      assert.equal(back.welcome.unread_count, 1);
      await db.notify(user, 'y');
      for (const tab of [back, tabs[1]]) await tab.next('new_notification', (frame) => frame.notification.title === 'y');
    });
  });

  describe('five relays on one database', () => {
    let db;
    let relays;
    before(async () => {
      db = await cluster.database();
      relays = [];
      for (let i = 0; i < 5; i += 1) relays.push(await startRelay(db, { HERALD_FEED: 'notify' }));
    });

    /** Median and slowest time from commit to a tab, per relay, in ms. */
    async function times(user, tabs, rounds) {
      const taken = tabs.map(() => []);
      for (let i = 0; i < rounds; i += 1) {
        const id = await db.notify(user, 'tick');
        const start = performance.now();
        await Promise.all(tabs.map(async (tab, k) => {
          await tab.next('new_notification', (frame) => frame.notification.id === id);
          taken[k].push(performance.now() - start);
        }));
        await sleep(10);
      }
      return taken.map((list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]);
    }

    it('the fifth finds no key, polls, and is as prompt as the others', async () => {
      const user = await db.person();
      const tabs = await Promise.all(relays.map((relay) => connect(relay, user)));
      // The safety query alone, once a second, would give a median of half a second.
      for (const [i, median] of (await times(user, tabs, 25)).entries()) assert.ok(median < 150, `relay ${i}: ${median} ms`);
    });

    it('keys of killed relays are free for others, and nothing is missed', async () => {
      const user = await db.person();
      await relays[1].kill();
      await relays[2].kill();
      const left = [relays[0], relays[3], relays[4]];
      const tabs = await Promise.all(left.map((relay) => connect(relay, user)));
      for (const median of await times(user, tabs, 15)) assert.ok(median < 150, `${median} ms`);
      await relays[1].again();
      const back = await connect(relays[1], user);
      for (const median of await times(user, [back, ...tabs], 15)) assert.ok(median < 150, `${median} ms`);
    });
  });

  for (const workers of [1, 2]) {
    describe(`a relay that is started again, HERALD_WORKERS=${workers}`, () => {
      let db;
      let relay;
      before(async () => {
        db = await cluster.database();
        relay = await startRelay(db, { HERALD_WORKERS: String(workers) });
      });

      for (const how of ['stop', 'kill']) {
        it(`clients converge to the table after a ${how}, with writes in between`, async () => {
          const user = await db.person();
          const tab = await connect(relay, user);
          const ids = [];
          for (let i = 0; i < 20; i += 1) ids.push(await db.notify(user, `before ${i}`));
          await tab.settle(db, user);
          const mirror = tab.frames.reduce((state, frame) => state.apply(frame), new Mirror());
          await relay[how]();
          await tab.closed;
          await db.sql('update herald.notifications set read_at = now() where id = any($1::uuid[])', [ids.slice(0, 5)]);
          const fresh = await db.notify(user, 'while it was away');
          await relay.again();
          const back = await connect(relay, user);
          assert.equal(back.welcome.unread_count, 16);
          (await readAll(back)).forEach((row) => mirror.apply({ notification: row }));
          await db.notify(user, 'after');
          await back.settle(db, user);
          back.frames.forEach((frame) => mirror.apply(frame));
          assert.deepEqual(mirror.versions(), await db.versions(user));
          assert.ok(mirror.rows.has(fresh));
        });
      }

      it('rows written while it was being stopped are all in the table and in the next page', async () => {
        const user = await db.person();
        let writing = true;
        const writer = (async () => {
          while (writing) await db.notify(user, 'n');
        })();
        await relay.stop();
        await relay.again();
        writing = false;
        await writer;
        const tab = await connect(relay, user);
        await eventually('the same rows', async () => {
          const rows = await readAll(tab);
          return rows.length === Object.keys(await db.versions(user)).length;
        });
      });
    });
  }
});
