// Hostile contents: rows, broadcasts and user ids that are made to break quoting, escaping, framing or the log. What a
// client gets is what PostgreSQL has, byte for byte.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { connect } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { CANARY, startRelay } from './lib/relay.mjs';

const range = (from, to) => String.fromCodePoint(...Array.from({ length: to - from + 1 }, (_, i) => from + i));
const json = JSON.stringify;
const MIB = 1024 * 1024;
const LIMIT = 4 * MIB; // of a notification's text

const texts = {
  'nothing': '',
  'spaces': ' \t ',
  'quotes': `'"\`''""\u2018\u201c`,
  'backslashes': '\\ \\\\ \\" \\n \\u0041 \\u0000 \\x00 \\N \\.',
  'control characters': `${range(1, 0x1f)}\u007f${range(0x80, 0x9f)}`,
  'line breaks of every kind': 'a\nb\rc\r\nd\u0085e\u2028f\u2029g\vh\fi',
  'a header injected': 'x\r\nSet-Cookie: a=b\r\n\r\n<html>',
  'right to left, and marks that reorder':
    '\u202eabc\u202c \u2067\u05e9\u05dc\u05d5\u05dd\u2069 \u0645\u0631\u062d\u0628',
  'emoji of several characters': '\u{1f469}\u200d\u{1f467} \u{1f1e9}\u{1f1ea} \u{1f44d}\u{1f3fd} \u2764\ufe0f',
  'combining characters': 'e\u0301 \u1100\u1161\u11a8 Z\u0351\u036b\u0343',
  'characters beyond the first plane': '\u{10000}\u{1d11e}\u{10ffff}',
  'non-characters and specials': '\ufffe\uffff\ufffd\ufdd0\u{1fffe}\u{10fffe}',
  'a BOM': '\ufeffx',
  'HTML': '</script><script>alert(1)</script><!--<![CDATA[]]>-->&lt;',
  'JSON': '{"type":"connected","user_id":"u-bob"}',
  'JSON in JSON in JSON': json(json(json({ type: 'error', a: ['"', '\\', '\n'] }))),
  'the end of a frame and another one': '"},"cursor":"x"}{"type":"connected"}',
  'SQL': `'; drop table herald.notifications; -- $1 $$ \\gexec`,
  'an array literal': '{NULL,"a,b",\\N}',
  'formats': '%s %n %x {0} ${x} $(id) `id`',
  '1 MB': 'x'.repeat(MIB),
  '1 MB that doubles when it is escaped': '"\\'.repeat(MIB / 2),
  '1 MB of emoji': '\u{1f600}'.repeat(MIB / 4),
};

const data = {
  'a number that no double holds': '12345678901234567890123.10',
  'a number that JavaScript reads as infinite': '1e400',
  'a number too small': '1e-400',
  'minus zero': '-0.0',
  'escapes of a pair of surrogates': '"\\ud83d\\ude00"',
  'escapes of what needs none': '"\\u0041\\/\\u007f\\u2028"',
  'names that mean something elsewhere': '{"__proto__":{"x":1},"type":"connected","":0,"a\\"b\\\\":1}',
  'a name twice: the last one counts': '{"a":1,"a":2}',
  'a thousand levels': `${'['.repeat(1000)}${']'.repeat(1000)}`,
  'a string of JSON': json(json({ type: 'connected' })),
};

const refusedByPostgres = {
  'NUL in text': ['title', 'a\u0000b'],
  'an escaped NUL in data': ['data', '"\\u0000"'],
  'an escaped NUL in a name of data': ['data', '{"\\u0000":1}'],
  'half a surrogate in data': ['data', '"\\ud800"'],
  'two surrogates in the wrong order': ['data', '"\\ude00\\ud83d"'],
  'no JSON in data': ['data', 'NaN'],
};

describe('hostile contents', () => {
  let cluster;
  let db;
  let relay;
  let tab;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startRelay(db, { HERALD_LOG_FORMAT: 'json' });
    tab = await connect(relay, 'alice');
  });
  after(() => cluster?.end());

  /** The frame of a new row has, between its fixed ends, exactly PostgreSQL's text of the row. */
  async function arrives(id, reader = tab) {
    const frame = await reader.next('new_notification', (got) => got.notification.id === id, 15_000);
    const stored = await db.value('select herald.notification_json(n) from herald.notifications n where id = $1', [id]);
    const [head, tail] = [`{"type":"new_notification","notification":${stored},"cursor":"`, `${frame.cursor}"}`];
    assert.equal(frame.raw.length, head.length + tail.length);
    assert.ok(frame.raw.startsWith(head) && frame.raw.endsWith(tail), 'the bytes differ');
    return frame.notification;
  }

  describe('of rows', () => {
    for (const [name, text] of Object.entries(texts)) {
      it(`as text: ${name}`, async () => {
        const row = await arrives(await db.notify('alice', text, { message: text }));
        assert.ok(row.title === text && row.message === text, 'the text differs');
        if (text.length > 1000) return;
        const columns = { category: text, action_url: text, data: json({ [text]: text }) };
        const other = await arrives(await db.notify('alice', CANARY, columns));
        assert.deepEqual([other.category, other.action_url], [text, text]);
        assert.deepEqual(other.data, { [text]: text });
      });
    }

    for (const [name, text] of Object.entries(data)) {
      it(`as data: ${name}`, async () => {
        const id = await db.notify('alice', CANARY, { data: text });
        await arrives(id);
        const page = await tab.ask({ type: 'get_unread', limit: 1 });
        const stored = await db.value('select data::text from herald.notifications where id = $1', [id]);
        assert.ok(page.raw.includes(`"data":${stored},"created_at"`));
      });
    }

    for (const [name, [column, text]] of Object.entries(refusedByPostgres)) {
      it(`PostgreSQL does not store: ${name}`, async () => {
        const stored = column === 'title' ? db.notify('alice', text) : db.notify('alice', CANARY, { [column]: text });
        await assert.rejects(stored, ({ code }) => ['22021', '22P02', '22P05'].includes(code));
      });
    }

    it('4 MiB of text pass, one byte less too, one more is not stored', async () => {
      for (const size of [LIMIT - 1, LIMIT]) {
        const row = await arrives(await db.notify('alice', 'x', { message: 'm'.repeat(size - 1) }));
        assert.equal(row.message.length, size - 1);
      }
      const larger = db.notify('alice', 'x', { message: 'm'.repeat(LIMIT) });
      await assert.rejects(larger, /notifications_text_is_at_most_4_mib/);
    });

    it('4 MiB that grow sixfold when they are escaped pass', async () => {
      const message = '\u0001'.repeat(LIMIT - 1);
      const row = await arrives(await db.notify('alice', 'x', { message }));
      assert.ok(row.message === message);
      await tab.ping();
    });
  });

  describe('of user ids', () => {
    const ids = {
      'quotes': `o'"\`x`,
      'backslashes': 'a\\b\\\\"c\\',
      'a comma': 'a,b',
      'braces': '{a,"b"}',
      'NULL': 'NULL',
      'null': 'null',
      'spaces': '  ',
      'line breaks and control characters': 'a\r\nlevel=error event=forged\u0001\u001b[31m\u007f',
      'marks that reorder': '\u202ea\u2028b',
      'characters beyond ASCII': 'zo\u00eb\u{1f600}',
      'JSON': '{"type":"connected"}',
      'SQL': `'; drop table herald.users; --`,
      '128 characters of four bytes': '\u{1f600}'.repeat(128),
    };
    const tabs = {};
    before(async () => {
      for (const [i, id] of Object.values(ids).entries()) {
        await db.sql('insert into herald.users (id, username) values ($1, $2)', [id, `odd${i}`]);
        tabs[id] = await connect(relay, `odd${i}`);
        assert.equal(tabs[id].welcome.user_id, id);
      }
    });

    const insert = (id) => db.value(
      `insert into herald.notifications (user_id, title) values ($1, $2) returning id::text`, [id, CANARY]);

    for (const [name, id] of Object.entries(ids)) {
      it(`rows, counts, pages, reads and broadcasts are of that user alone: ${name}`, async () => {
        const own = tabs[id];
        const row = await insert(id);
        await arrives(row, own);
        await own.next('unread_count', ({ count }) => count === 1);
        assert.deepEqual((await own.ask({ type: 'get_unread' })).notifications.map((one) => one.id), [row]);
        assert.equal((await own.ask({ type: 'mark_read', notification_id: row })).success, true);
        assert.equal((await own.ask({ type: 'mark_all_read' })).count, 0);
        await db.sql('select herald.broadcast_to_users($1, $2)', [[id], json({ type: 'for', id })]);
        assert.equal((await own.next('for')).id, id);
      });
    }

    it('many of them at once are counted in one statement', async () => {
      const all = Object.values(ids);
      await db.sql(
        'insert into herald.notifications (user_id, title) select id, $2 from unnest($1::text[]) id', [all, CANARY]);
      for (const own of Object.values(tabs)) await own.next('unread_count', ({ count }) => count === 1);
    });

    it('nobody saw what was not theirs', async () => {
      for (const [id, own] of Object.entries(tabs)) {
        await own.ping();
        const rows = own.frames.filter((frame) => frame.type === 'new_notification');
        assert.equal(rows.length, 2, json(id));
        assert.deepEqual(own.frames.filter((frame) => frame.type === 'for').map((frame) => frame.id), [id]);
      }
    });
  });

  describe('of broadcasts', () => {
    const send = (message) => db.sql('select herald.broadcast_to_user($1, $2)', ['u-alice', message]);

    const passed = {
      'blanks and line breaks': '\n{ "type" :\t"odd" ,\r\n "a" : [ 1 , 2 ] }\n',
      'escapes in the type': '{"\\u0074ype":"o\\u0064d"}',
      'a name twice': '{"type":"odd","a":1,"a":2}',
      'a type of the protocol further inside': '{"type":"odd","data":{"type":"connected"}}',
      'a type of the protocol in capitals': '{"type":"CONNECTED"}',
      'numbers of every kind': '{"type":"odd","n":[1e400,-0,1.10,12345678901234567890]}',
      'characters beyond ASCII': '{"type":"odd","a":"é😀\u2028\u202e"}',
      'HTML': '{"type":"odd","a":"</script><!--"}',
      '1 MiB': `{"type":"odd","a":"${'x'.repeat(MIB - 21)}"}`,
    };
    for (const [name, message] of Object.entries(passed)) {
      it(`byte for byte: ${name}`, async () => {
        tab.forget();
        await send(message);
        const frame = await tab.next(JSON.parse(message).type);
        assert.ok(frame.raw === message, 'the bytes differ');
      });
    }

    const refused = {
      'a type of the protocol': '{"type":"connected"}',
      'the same with an escape': '{"type":"c\\u006fnnected"}',
      'the same with an escape in the name': '{"\\u0074ype":"connected"}',
      'the same as the second type': '{"type":"odd","type":"connected"}',
      'the same as the second type, with an escape': '{"type":"odd","\\u0074ype":"connected"}',
      'no type': '{"Type":"odd"}',
      'an empty type': '{"type":""}',
      'a type that is no string': '{"type":["odd"]}',
      'a type with an escaped NUL': '{"type":"odd\\u0000"}',
      'a type that is half a surrogate': '{"type":"\\ud800"}',
      'half a surrogate anywhere': '{"type":"odd","a":"\\ud800"}',
      'an escaped NUL anywhere': '{"type":"odd","a":"\\u0000"}',
      'an array': '[{"type":"odd"}]',
      'two objects': '{"type":"odd"}{"type":"connected"}',
      '1 MiB and a byte': `{"type":"odd","a":"${'x'.repeat(MIB - 20)}"}`,
    };
    for (const [name, message] of Object.entries(refused)) {
      it(`refused: ${name}`, async () => {
        tab.forget();
        await assert.rejects(send(message), /type|message|json|Unicode/i);
        await tab.settle(db, 'alice');
        assert.deepEqual(tab.left('odd').concat(tab.left('connected')), []);
      });
    }
  });
});
