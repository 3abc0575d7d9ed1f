// docs/protocol held against the relay: every form of a server's frame is provoked, every example of a client's
// message is taken, and the documents agree with each other. (Frames of all other tests are checked by lib/shapes.mjs.)
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import Ajv from 'ajv';
import { parse } from 'yaml';
import { Client, connect, devToken } from './lib/client.mjs';
import { keyFile, newSecret, seconds, token } from './lib/jwt.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay } from './lib/relay.mjs';
import { CLOSE_CODES, complaints, ERROR_CODES, examples, formOf, FORMS, readProtocol } from './lib/schemas.mjs';
import { sleep } from './lib/wait.mjs';

const NAMES = { server: [...FORMS.server.values(), 'applicationMessage'].flat(), client: [...FORMS.client.values()].flat() };
const reserved = () => JSON.parse(readProtocol('schemas/server.json')).$defs.applicationMessage.properties.type.not.enum;

describe('the documents of the protocol', () => {
  for (const direction of ['server', 'client']) {
    it(`each form of a ${direction}'s frame has an example, and each example a form`, () => {
      const forms = examples(direction).map(([file, frame]) => [file, formOf(direction, frame)]);
      assert.deepEqual(forms.filter(([, form]) => form === null), []);
      assert.deepEqual([...new Set(forms.map(([, form]) => form))].sort(), NAMES[direction].sort());
    });
  }

  it('a frame with a field too few, too many or of another type is none', () => {
    for (const [file, frame] of examples('server').filter(([name]) => name !== 'application_message.json')) {
      for (const name of Object.keys(frame).filter((key) => !['type', 'ref', 'retry_after_ms'].includes(key))) {
        const { [name]: taken, ...rest } = frame;
        assert.equal(formOf('server', rest), null, `${file} without ${name}`);
        assert.equal(formOf('server', { ...frame, [name]: {} }), null, `${file}, ${name} an object`);
      }
      assert.equal(formOf('server', { ...frame, surplus: 1 }), null, `${file} with a surplus field`);
    }
  });

  it('a notification is read if and only if it has a time of reading', () => {
    const [, { notification }] = examples('server').find(([file]) => file === 'notification_updated.json');
    assert.deepEqual(complaints('server', 'notification', notification), []);
    assert.notDeepEqual(complaints('server', 'notification', { ...notification, read_at: null }), []);
    assert.notDeepEqual(complaints('server', 'notification', { ...notification, is_read: false }), []);
  });

  it('PROTOCOL.md has the codes of the schemas', () => {
    const words = readProtocol('../PROTOCOL.md');
    const section = (title) => words.split(`\n## ${title}\n`)[1].split('\n## ')[0];
    const errors = [...section('Errors').matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code).slice(1); // after the head
    const closes = [...section('Close codes').matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, codes]) => codes.split(', ').map(Number));
    assert.deepEqual(errors, ERROR_CODES);
    assert.deepEqual(closes.sort(), CLOSE_CODES.sort());
  });

  it('AsyncAPI\'s own schema accepts asyncapi.yaml', () => {
    const meta = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json');
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(meta);
    assert.ok(validate(parse(readProtocol('asyncapi.yaml'))), JSON.stringify(validate.errors?.slice(0, 5), null, 1));
  });

  it('asyncapi.yaml has every form once, each with its schema and in an operation', () => {
    const { components, channels, operations } = parse(readProtocol('asyncapi.yaml'));
    const expected = Object.entries(NAMES).flatMap(([direction, names]) =>
      names.map((name) => [name, `./schemas/${direction}.json#/$defs/${name}`]));
    const payloads = Object.entries(components.messages).map(([name, message]) => [name, message.payload.schema.$ref]);
    assert.deepEqual(payloads.sort(), expected.sort());
    assert.deepEqual(Object.keys(channels.notifications.messages).sort(), expected.map(([name]) => name).sort());
    const used = (channel) => Object.values(operations).filter((operation) => operation.channel.$ref === `#/channels/${channel}`)
      .flatMap((operation) => operation.messages.map(({ $ref }) => $ref.split('/').at(-1)));
    assert.deepEqual(used('notifications').sort(), expected.map(([name]) => name).sort());
    assert.deepEqual(used('stream').sort(), Object.keys(channels.stream.messages).sort());
    for (const name of used('stream')) assert.ok(NAMES.server.includes(name) || name === 'close', name);
  });
});

describe('the protocol against the relay', () => {
  let cluster;
  let db;
  let relay;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    await db.addUsers();
    relay = await startRelay(db, { HERALD_RATE_LIMIT: '5/s:40', HERALD_DRAIN_SECONDS: '1' });
  });
  after(() => cluster?.end());

  const seen = { forms: new Set(), codes: new Set() };
  /** Notes what came; its shape was checked when it came. */
  function note(...tabs) {
    for (const frame of tabs.flatMap((tab) => tab.frames)) {
      seen.forms.add(formOf('server', frame));
      if (frame.type === 'error') seen.codes.add(frame.code);
    }
    for (const tab of tabs) assert.equal(tab.complaint, null);
  }

  it('changes and answers', async () => {
    const user = await db.person();
    const tab = await connect(relay, user);
    const id = await db.notify(user, 'one');
    await tab.next('new_notification');
    await tab.next('unread_count');
    assert.equal((await tab.ask({ type: 'mark_read', notification_id: id })).success, true);
    assert.equal((await tab.ask({ type: 'mark_read', notification_id: '00000000-0000-0000-0000-000000000000' })).code, 'not_found');
    assert.equal((await tab.ask({ type: 'get_unread' })).type, 'unread_notifications');
    assert.equal((await tab.ask({ type: 'get_notifications' })).type, 'notifications');
    await db.sql('delete from herald.notifications where id = $1', [id]);
    await tab.next('notification_deleted');
    const { cursor } = await tab.ping();
    assert.equal((await tab.ask({ type: 'resume', cursor })).count, 0);
    assert.equal((await tab.ask({ type: 'resume', cursor: 'deadbeef-5' })).resync, true);
    await tab.settle(db, user);
    note(tab);
  });

  it('a token that ends is renewed', async () => {
    const secret = newSecret();
    const strict = await startRelay(db, { HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(secret) });
    const tab = new Client(strict, { token: token(secret, { exp: seconds() + 20 }), via: 'frame' });
    await tab.next('connected');
    await tab.next('token_expiring');
    const answer = await tab.ask({ type: 'authenticate', token: token(secret) });
    assert.equal(answer.type, 'authenticated');
    note(tab);
  });

  it('messages that are refused', async () => {
    const tab = await connect(relay, 'alice');
    for (const bad of ['{', '[]', '{"type":"no_such_type"}', '{"type":"get_unread","limit":0}']) {
      tab.send(bad);
      await tab.next('error');
    }
    note(tab);
  });

  it('a client over its rate', async () => {
    const tab = await connect(relay, 'bob');
    while (!tab.closing) { // however much it may send meanwhile
      for (let i = 0; i < 60; i += 1) tab.send({ type: 'ping' });
      await sleep(20);
    }
    note(tab);
  });

  it('a request that the database refuses, and one that it does not answer in time', async () => {
    const tab = await connect(relay, 'alice');
    await db.sql('alter function herald.relay_pages rename to away');
    assert.equal((await tab.ask({ type: 'get_unread' })).code, 'internal');
    await db.sql('alter function herald.away rename to relay_pages');
    await cluster.stop('immediate');
    assert.equal((await tab.ask({ type: 'get_unread' }, 30_000)).code, 'unavailable');
    await cluster.boot();
    await relay.ready();
    note(tab);
  });

  it('every example of a client\'s message is understood', async () => {
    for (const [file, message] of examples('client')) {
      const tab = await connect(relay, 'ashumba');
      const text = { ...message, ...(message.token && { token: devToken('ashumba') }) };
      tab.send(text);
      const answer = await tab.next(null, (frame) => frame.ref === message.ref);
      assert.notEqual(answer.type, 'error', `${file}: ${answer.raw}`);
      note(tab);
      await tab.close();
    }
  });

  it('the database lets no application broadcast a type that the schemas reserve', async () => {
    assert.deepEqual(reserved().sort(), [...FORMS.server.keys(), ...FORMS.client.keys()].sort());
    for (const type of reserved()) {
      await assert.rejects(db.sql('select herald.check_message($1::json)', [JSON.stringify({ type })]), /message of the protocol/, type);
    }
  });

  it('a relay that stops says so', async () => {
    const tab = await connect(relay, 'alice');
    relay.program.signal('SIGTERM');
    await tab.next('draining');
    await tab.closed;
    note(tab);
  });

  it('the relay has sent every form of a frame and every code of an error', () => {
    assert.deepEqual([...seen.forms].sort(), NAMES.server.sort());
    assert.deepEqual([...seen.codes].sort(), [...ERROR_CODES].sort());
  });
});
