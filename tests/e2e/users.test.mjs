// Whose a token is: looked up for many logins at once, remembered for seconds, and
// forgotten as soon as the feed says that users have changed, in every worker.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Client, connect, devToken, outcome } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually, sleep } from './lib/wait.mjs';

const SOON_MS = 4_000; // less than a relay remembers, and more than a busy machine stands still
const REMEMBERED_MS = 5_000;

const login = async (relay, user) => {
  const tab = new Client(relay, { token: devToken(user) });
  const welcome = await Promise.race([tab.next('connected'), tab.closed]);
  return welcome.type === 'connected' ? welcome.user_id : welcome.code;
};

/** Every worker remembers the user: the kernel spreads connections over them. */
const loginEverywhere = (relay, user) => Promise.all(Array.from({ length: 16 }, () => connect(relay, user)));

describe('whose a token is', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  const refused = (relay, user) => eventually(`${user} to be refused`, async () => (await login(relay, user)) === 4000, SOON_MS);

  for (const workers of ['1', '3']) {
    describe(`with ${workers} worker(s)`, () => {
      let relay;
      before(async () => (relay = await startRelay(db, { HERALD_WORKERS: workers })));

      /** One refusal proves one worker: so many at once, and nobody gets in afterwards. */
      async function refusedEverywhere(user) {
        const many = () => Promise.all(Array.from({ length: 16 }, () => login(relay, user)));
        await eventually(`${user} to be refused everywhere`, async () => (await many()).every((answer) => answer === 4000), SOON_MS);
        for (const answer of await many()) assert.equal(answer, 4000);
      }

      it('a user who is disabled or deleted is refused as soon as the relay is told, though remembered', async () => {
        for (const change of ['update herald.users set disabled_at = now()', 'delete from herald.users']) {
          const user = await db.person();
          await loginEverywhere(relay, user);
          await db.sql(`${change} where username = $1`, [user]);
          await refusedEverywhere(user);
        }
      });

      it('who is disabled and disconnected in one transaction does not come back', async () => {
        const user = await db.person();
        const tabs = await loginEverywhere(relay, user);
        await db.sql(`with gone as (update herald.users set disabled_at = now() where username = $1 returning id)
                      select herald.disconnect_user(id) from gone`, [user]);
        for (const tab of tabs) assert.equal((await tab.closed).code, 4002);
        for (let i = 0; i < 8; i++) assert.equal(await login(relay, user), 4000);
      });

      it('a user who was refused gets in as soon as it exists', async () => {
        assert.equal(await login(relay, `late${workers}`), 4000);
        await db.addUsers([`late${workers}`]);
        assert.equal(await login(relay, `late${workers}`), `u-late${workers}`);
      });
    });
  }

  describe('an application\'s own resolve_user', () => {
    let own;
    let relay;
    before(async () => {
      own = await cluster.database();
      await own.sql('create table public.accounts (name text primary key, locked boolean not null default false)');
      await own.sql(`create or replace function herald.resolve_user(claims jsonb) returns text
                     language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
                     begin
                       if claims ->> 'username' like 'raises%' then raise 'not this one'; end if;
                       return (select a.name from public.accounts a where a.name = claims ->> 'username' and not a.locked);
                     end $$`);
      await own.sql(`insert into public.accounts select 'acc' || n from generate_series(0, 99) n`);
      relay = await startRelay(own);
    });

    it('claims at which it raises an error are refused with 1013, all others get in', async () => {
      const names = Array.from({ length: 60 }, (_, n) => (n % 20 === 7 ? `raises${n}` : `acc${n}`));
      const answers = await Promise.all(names.map((name) => login(relay, name)));
      assert.deepEqual(answers, names.map((name) => (name.startsWith('raises') ? 1013 : name)));
    });

    it('is believed for five seconds, no longer', async () => {
      assert.equal(await login(relay, 'acc70'), 'acc70');
      await own.sql(`update public.accounts set locked = true where name = 'acc70'`);
      await sleep(REMEMBERED_MS + 100);
      assert.equal(await login(relay, 'acc70'), 4000);
    });

    it('is asked again at once where its table has the trigger', async () => {
      await own.sql(`create trigger forget after update or delete or truncate on public.accounts
                     for each statement execute function herald.forget_users()`);
      assert.equal(await login(relay, 'acc71'), 'acc71');
      await own.sql(`update public.accounts set locked = true where name = 'acc71'`);
      await refused(relay, 'acc71');
    });
  });

  it('a storm of logins takes few statements, and the same tokens again, none', async () => {
    const users = Array.from({ length: 300 }, (_, n) => `storm${n}`);
    await db.addUsers(users);
    const relay = await startRelay(db);
    const start = performance.now();
    for (let round = 0; round < 2; round++) {
      // It finds them all at once: who comes while nobody else waits has a statement of its own.
      process.kill(relay.pid, 'SIGSTOP');
      const tabs = users.map((user) => new Client(relay, { token: devToken(user) }));
      await sleep(300).finally(() => process.kill(relay.pid, 'SIGCONT'));
      for (const [n, tab] of tabs.entries()) assert.equal((await tab.next('connected', undefined, 10_000)).user_id, `u-${users[n]}`);
      tabs.forEach((tab) => tab.socket.close());
    }
    const took_ms = performance.now() - start;
    const counters = await relay.counters();
    assert.equal(counters.logins_ok, 600);
    assert.equal(counters.lookups_asked + counters.lookups_known, 600);
    // None is asked for again unless the storm was so slow that the first were forgotten.
    if (took_ms < REMEMBERED_MS) assert.equal(counters.lookups_asked, 300, `in ${took_ms} ms`);
    assert.ok(counters.lookups_statements <= 100, `${counters.lookups_statements} statements`);
  });

  it('HERALD_AUTH_REJECT=http looks a user up once, not before the upgrade and after it', async () => {
    const relay = await startRelay(db, { HERALD_AUTH_REJECT: 'http' });
    assert.equal(await outcome(relay, { token: devToken('alice'), via: 'header' }), 'connected');
    const counters = await relay.counters();
    assert.deepEqual([counters.lookups_asked, counters.lookups_known], [1, 1]);
  });
});
