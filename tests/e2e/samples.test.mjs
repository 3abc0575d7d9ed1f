// The sample notifications that the demo page asks for: rows like an application's, for the token's user, and only
// where `pgherald dev` or the compose file has set the demo up.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { connect, devToken } from './lib/client.mjs';
import { keyFile, newSecret } from './lib/jwt.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

describe('samples of the demo page', () => {
  let cluster;
  let db;
  let relay;

  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    const admin = await db.session('postgres');
    await admin.query('grant herald_app to relay');
    await admin.end();
    relay = await startRelay(db, { HERALD_DEV_PSQL: 'psql' });
  });
  after(() => cluster?.end());

  const ask = async (at, user, count, headers = { Authorization: `Bearer ${devToken(user)}` }) =>
    (await at.get(`/dev/samples?count=${count}`, { method: 'POST', headers })).status;

  it('arrive in the tabs of the token\'s user and of nobody else', async () => {
    const [alice, bob] = [await db.person(), await db.person()];
    const tab = await connect(relay, alice);
    assert.equal(await ask(relay, alice, 3), 202);
    await eventually('three rows', () => tab.frames.filter((frame) => frame.type === 'new_notification').length === 3);
    assert.deepEqual([await db.unread(alice), await db.unread(bob)], [3, 0]);
  });

  it('are 1 to 1000', async () => {
    const user = await db.person();
    for (const count of ['0', '-1', '1001', '1e3', '', '3x']) assert.equal(await ask(relay, user, count), 400, count);
    assert.equal(await ask(relay, user, 1000), 202);
    await eventually('all rows', async () => (await db.unread(user)) === 1000);
  });

  it('need a token, and a user', async () => {
    for (const headers of [{}, { Authorization: 'Bearer nonsense' }, { Authorization: `Basic ${devToken('alice')}` }]) {
      assert.equal(await ask(relay, 'alice', 1, headers), 401);
    }
    const before = await db.value('select count(*) from herald.notifications');
    assert.equal(await ask(relay, 'nobody', 1), 202);
    assert.equal(await ask(relay, 'alice', 1), 202);
    await eventually('the one of alice', async () => (await db.value('select count(*) from herald.notifications')) > before);
    assert.equal(await db.value('select count(*) - $1 from herald.notifications', [before]), '1');
  });

  it('are not there unless the demo was set up', async () => {
    const plain = await startRelay(db);
    const strict = await startRelay(db, { HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(newSecret()), HERALD_DEV_PSQL: 'psql' });
    assert.deepEqual([await ask(plain, 'alice', 1), await ask(strict, 'alice', 1)], [404, 404]);
  });
});
