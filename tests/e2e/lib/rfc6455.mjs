// What RFC 6455 asks of a server, as a table: the 247 inputs known by their numbers in the Autobahn suite, sections 1
// to 7 and 10. A relay is no echo server: a text message has been understood when its `ping` comes back with its
// `ref`, and a binary message is refused with 1003, as §7.4.1 has it.
import { frame } from './raw.mjs';

const [TEXT, BINARY, CLOSE, PING, PONG] = [1, 2, 8, 9, 10];

// ---- what is sent ----

/** A message that the relay answers with its `ref`, of `size` bytes. */
export function message(ref, size = 0) {
  const bare = Buffer.concat(['{"type":"ping","ref":"', ref, '"}'].map((part) => Buffer.from(part)));
  return Buffer.concat([bare, Buffer.alloc(Math.max(0, size - bare.length), ' ')]);
}

const ofType = (opcode) => (payload = '', options = {}) => frame(payload, { opcode, ...options });
export const text = ofType(TEXT);
const binary = ofType(BINARY);
const more = ofType(0);
const ping = ofType(PING);
const pong = ofType(PONG);

export const close = (code, reason = '') =>
  frame(Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]), { opcode: CLOSE });

/** One message as frames with these payloads. */
const fragments = (...payloads) => payloads.map((payload, i) =>
  frame(payload, { opcode: i === 0 ? TEXT : 0, fin: i === payloads.length - 1 }));

/** A buffer cut after every `size` bytes. */
const cut = (buffer, size) =>
  Array.from({ length: Math.ceil(buffer.length / size) }, (_, i) => buffer.subarray(i * size, (i + 1) * size));

/** Among the segments: wait for the relay's next frame. */
export const LISTEN = Symbol('listen');

// How frames travel: in one segment, each in its own, each byte in its own.
const together = (...frames) => [Buffer.concat(frames)];
const each = (...frames) => frames;
const octets = (...frames) => cut(Buffer.concat(frames), 1);
const ways = [['', together], [', frame by frame', each], [', byte by byte', octets]];

// ---- what is expected: the relay's frames in these words, and the end ----

export const answered = (ref) => `answer ${ref}`;
export const ponged = (payload = '') => `pong ${Buffer.from(payload).toString('hex')}`;
export const refused = (code) => `error ${code}`;
export const closed = (code) => `close ${code ?? '(no code)'}`;
export const OPEN = 'open';
export const DROPPED = 'dropped'; // no close frame: §7.1.7 only says that there SHOULD be one

const FAILED = [[closed(1002)]];
const NOT_UTF8 = [[closed(1007)]];
const after = (ref, outcomes) => outcomes.map((outcome) => [answered(ref), ...outcome]);
const stays = (...events) => [[...events, OPEN]];

/**
 * `{id, what, sent, outcomes}`: `sent` are segments; one of the `outcomes` must be seen. Pongs are first in them: their
 * order among themselves counts, but no rule says when the answer of an application has to come.
 */
export const cases = [];
const add = (id, what, sent, outcomes) => cases.push({ id, what, sent, outcomes });

// ---- 1: messages of every width of the length ----

[0, 125, 126, 127, 128, 65_535, 65_536, 65_536].forEach((size, i) => {
  const segments = (whole) => (i === 7 ? cut(whole, 997) : [whole]);
  const what = `of ${size} bytes${i === 7 ? ' in segments of 997' : ''}`;
  const id = `1.1.${i + 1}`;
  add(id, `a text message ${what}`, segments(text(size ? message(id, size) : '')),
    stays(size ? answered(id) : refused('bad_json')));
  add(`1.2.${i + 1}`, `a binary message ${what}`, segments(binary(Buffer.alloc(size, 0xfe))), [[closed(1003)]]);
});

// ---- 2: pings and pongs ----

const bytes125 = Buffer.alloc(125, 0xfe);
const odd = Buffer.from('00fffefdfcfb00ff', 'hex');
export const tenPings = Array.from({ length: 10 }, (_, i) => `ping ${i}`);
add('2.1', 'a ping without payload', each(ping()), stays(ponged()));
add('2.2', 'a ping with text', each(ping('text')), stays(ponged('text')));
add('2.3', 'a ping with bytes that are no UTF-8', each(ping(odd)), stays(ponged(odd)));
add('2.4', 'a ping of 125 bytes', each(ping(bytes125)), stays(ponged(bytes125)));
add('2.5', 'a ping of 126 bytes', each(ping(Buffer.alloc(126, 0xfe))), [...FAILED, [DROPPED]]);
add('2.6', 'a ping of 125 bytes, byte by byte', octets(ping(bytes125)), stays(ponged(bytes125)));
add('2.7', 'a pong that nobody asked for', each(pong()), stays());
add('2.8', 'the same with payload', each(pong('unasked')), stays());
add('2.9', 'the same, then a ping', each(pong('unasked'), ping('asked')), stays(ponged('asked')));
add('2.10', 'ten pings', together(...tenPings.map((payload) => ping(payload))), stays(...tenPings.map(ponged)));
add('2.11', 'ten pings, byte by byte', octets(...tenPings.map((payload) => ping(payload))),
  stays(...tenPings.map(ponged)));

// ---- 3: reserved bits ----

const thenPing = (id, bad) => [text(message(id)), bad, ping('late')];
add('3.1', 'a text message with RSV 1', each(text(message('x'), { rsv: 1 })), FAILED);
ways.forEach(([how, segments], i) => {
  const id = `3.${2 + i}`;
  add(id, `a good message, one with RSV ${2 + i}, a ping${how}`,
    segments(...thenPing(id, text(message('x'), { rsv: 2 + i }))), after(id, FAILED));
});
add('3.5', 'a binary message with RSV 5', each(binary(bytes125, { rsv: 5 })), FAILED);
add('3.6', 'a ping with RSV 6', each(ping('x', { rsv: 6 })), FAILED);
add('3.7', 'a close frame with RSV 7', each(frame('', { opcode: CLOSE, rsv: 7 })), FAILED);

// ---- 4: reserved opcodes ----

for (const [section, opcode] of [['4.1', 3], ['4.2', 11]]) {
  const reserved = (i, payload = '') => frame(payload, { opcode: opcode + i });
  add(`${section}.1`, `opcode ${opcode}`, each(reserved(0)), FAILED);
  add(`${section}.2`, `opcode ${opcode + 1} with payload`, each(reserved(1, 'x')), FAILED);
  [[together, ''], [together, 'x'], [octets, 'x']].forEach(([segments, payload], i) => {
    const id = `${section}.${3 + i}`;
    const how = `${payload && ' with payload'}, a ping${segments === octets ? ', byte by byte' : ''}`;
    add(id, `a good message, opcode ${opcode + 2 + i}${how}`,
      segments(...thenPing(id, reserved(2 + i, payload))), after(id, FAILED));
  });
}

// ---- 5: fragments ----

const halves = (id) => fragments(message(id).subarray(0, 9), message(id).subarray(9));
const eachWay = (first, what, frames, outcomes) => ways.forEach(([how, segments], i) => {
  const id = `5.${first + i}`;
  add(id, what + how, segments(...frames(id)), outcomes(id));
});
add('5.1', 'a ping in two fragments', each(ping('a', { fin: false }), more('b')), FAILED);
add('5.2', 'a pong in two fragments', each(pong('a', { fin: false }), more('b')), FAILED);
eachWay(3, 'a message in two fragments', halves, (id) => stays(answered(id)));
eachWay(6, 'a message in two fragments, a ping between', (id) => [halves(id)[0], ping('between'), halves(id)[1]],
  (id) => stays(ponged('between'), answered(id)));
eachWay(9, 'a continuation of nothing, a message', () => [more('x'), text(message('x'))], () => FAILED);
eachWay(12, 'an unfinished continuation of nothing, a message', () => [more('x', { fin: false }), text(message('x'))],
  () => FAILED);
add('5.15', 'a message in two fragments, an unfinished continuation of nothing, a message',
  together(...halves('5.15'), more('x', { fin: false }), text(message('x'))), after('5.15', FAILED));
add('5.16', 'twice: an unfinished continuation of nothing, a message in two fragments',
  each(more('x', { fin: false }), ...halves('x'), more('x', { fin: false }), ...halves('x')), FAILED);
add('5.17', 'twice: a continuation of nothing, a message in two fragments',
  each(more('x'), ...halves('x'), more('x'), ...halves('x')), FAILED);
add('5.18', 'two fragments that both begin a message', each(text('{"type":', { fin: false }), text('"ping"}')), FAILED);
[['5.19', 'two segments', together], ['5.20', 'a segment each', each]].forEach(([id, how, segments]) => {
  const five = fragments('{"ty', 'pe":"ping"', ',"ref":', `"${id}`, '"}');
  add(id, `a message in five fragments with two pings between, ${how}`,
    [...segments(five[0], five[1], ping('one')), LISTEN, ...segments(five[2], five[3], ping('two'), five[4])],
    stays(ponged('one'), ponged('two'), answered(id)));
});

// ---- 6: UTF-8 (RFC 3629) ----

const hex = (...digits) => digits.map((one) => Buffer.from(one, 'hex'));
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const utf8 = (...codes) => codes.map((code) => Buffer.from(String.fromCodePoint(code)));

/** The bytes that the scheme of RFC 3629 §3 gives a number in so many bytes, allowed or not. */
function scheme(number, length) {
  const tail = [];
  for (let i = 1, left = number; i < length; i += 1, left = Math.floor(left / 64)) tail.unshift(0x80 | (left % 64));
  const mark = length === 1 ? 0 : (0xff00 >> length) & 0xff;
  return Buffer.from([mark | Math.floor(number / 64 ** (length - 1)), ...tail]);
}

/** By length: the first number that needs more bytes. */
const beyond = [0, 0x80, 0x800, 0x1_0000, 0x20_0000, 0x400_0000, 0x8000_0000];

const greek = Buffer.from('\u03ba\u1f79\u03c3\u03bc\u03b5'); // 2, 3, 2, 2 and 2 bytes
const latin = Buffer.from('Grüße, µ£ß');
add('6.1.1', 'an empty message', each(text()), stays(refused('bad_json')));
add('6.1.2', 'an empty message in three fragments', each(...fragments('', '', '')), stays(refused('bad_json')));
add('6.1.3', 'a message in three fragments, the first and the last empty', each(...fragments('', message('x'), '')),
  stays(answered('x')));
add('6.2.1', 'characters of two bytes', each(text(message(latin))), stays(answered(latin)));
add('6.2.2', 'the same in two fragments, cut between characters',
  each(...fragments(message(latin).subarray(0, 26), message(latin).subarray(26))), stays(answered(latin)));
add('6.2.3', 'the same in fragments of one byte', each(...fragments(...cut(message(latin), 1))),
  stays(answered(latin)));
add('6.2.4', 'characters of three bytes in fragments of one', each(...fragments(...cut(message(greek), 1))),
  stays(answered(greek)));
const surrogate = Buffer.concat([greek, scheme(0xd800, 3), Buffer.from('more')]);
add('6.3.1', 'a surrogate between good characters', each(text(surrogate)), NOT_UTF8);
add('6.3.2', 'the same in fragments of one byte', each(...fragments(...cut(surrogate, 1))), NOT_UTF8);

// Fail-fast: the rest of the fragment or of the frame is never sent.
const tooHigh = Buffer.concat([greek, scheme(0x11_0000, 4), Buffer.from('more')]);
[['', greek.length, greek.length + 4], [', known by its second byte', greek.length + 1, greek.length + 2]]
  .forEach(([how, from, to], i) => {
    const [head, bad, rest] = [tooHigh.subarray(0, from), tooHigh.subarray(from, to), tooHigh.subarray(to)];
    add(`6.4.${1 + i}`, `beyond U+10FFFF${how}: refused before the last fragment`,
      fragments(head, bad, rest).slice(0, 2), NOT_UTF8);
    const whole = text(tooHigh);
    const end = whole.length - rest.length;
    add(`6.4.${3 + i}`, `beyond U+10FFFF${how}: refused before the end of the frame`,
      [whole.subarray(0, end - bad.length), whole.subarray(end - bad.length, end)], NOT_UTF8);
  });

/** A section's cases: each sequence is a good `ref`, or must be refused. */
function sequences(section, what, isGood, list) {
  list.forEach((bytes, i) => {
    const id = `${section}.${i + 1}`;
    const name = `${what}: ${bytes.subarray(0, 12).toString('hex')}${bytes.length > 12 ? '…' : ''}`;
    if (!isGood(i)) add(id, name, each(text(bytes)), NOT_UTF8);
    else if (bytes.includes(0)) add(id, name, each(text(bytes)), stays(refused('bad_json'))); // UTF-8, but no JSON
    else add(id, name, each(text(message(bytes))), stays(answered(bytes)));
  });
}
const always = () => true;
const never = () => false;
const lengths = (from, to, number) => range(from, to).map((length) => scheme(number(length), length));
const unended = [...lengths(2, 6, () => 0), ...lengths(2, 6, (n) => beyond[n] - 1)].map((all) => all.subarray(0, -1));

sequences('6.5', 'good characters', always, [...utf8(0x24, 0xa2, 0x20ac, 0x2_4b62), greek]);
sequences('6.6', 'the beginning of good characters', (i) => [2, 5, 7, 9, 11].includes(i + 1),
  range(1, 11).map((size) => greek.subarray(0, size)));
sequences('6.7', 'the first of its length', always, lengths(1, 4, (n) => beyond[n - 1]));
sequences('6.8', 'the first of a length that does not exist', never, lengths(5, 6, (n) => beyond[n - 1]));
sequences('6.9', 'the last of its length', always, lengths(1, 4, (n) => Math.min(beyond[n] - 1, 0x10_ffff)));
sequences('6.10', 'the last of a length, too high', never, lengths(4, 6, (n) => beyond[n] - 1));
sequences('6.11', 'at an edge', (i) => i < 4,
  [scheme(0xd7ff, 3), scheme(0xe000, 3), scheme(0xfffd, 3), scheme(0x10_ffff, 4), scheme(0x11_0000, 4)]);
sequences('6.12', 'only continuation bytes', never,
  [...hex('80', 'bf', '80bf', '80bf80', '80bf80bf', '80bf80bf80', '80bf80bf80bf'), Buffer.from(range(0x80, 0xbf))]);
sequences('6.13', 'only first bytes, with spaces', never,
  [[0xc0, 0xdf], [0xe0, 0xef], [0xf0, 0xf7], [0xf8, 0xfb], [0xfc, 0xfd]]
    .map(([from, to]) => Buffer.from(range(from, to).flatMap((byte) => [byte, 0x20]))));
sequences('6.14', 'without the last byte', never, unended);
sequences('6.15', 'all of these in a row', never, [Buffer.concat(unended)]);
sequences('6.16', 'bytes that do not exist', never, hex('fe', 'ff', 'fefeffff'));
sequences('6.17', 'an overlong slash', never, lengths(2, 6, () => 0x2f));
sequences('6.18', 'the highest overlong number', never, lengths(2, 6, (n) => beyond[n - 1] - 1));
sequences('6.19', 'an overlong NUL', never, lengths(2, 6, () => 0));
sequences('6.20', 'a surrogate', never,
  [0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff].map((code) => scheme(code, 3)));
sequences('6.21', 'a pair of surrogates', never, [0xd800, 0xdb7f, 0xdb80, 0xdbff].flatMap((high) =>
  [0xdc00, 0xdfff].map((low) => Buffer.concat([scheme(high, 3), scheme(low, 3)]))));
sequences('6.22', 'a non-character', always,
  utf8(...range(0, 16).flatMap((plane) => [plane * 0x1_0000 + 0xfffe, plane * 0x1_0000 + 0xffff])));
sequences('6.23', 'a special', always, utf8(...range(0xfff9, 0xffff)));

// ---- 7: closing ----

const [first, second] = halves('late');
add('7.1.1', 'a message, a close frame', each(text(message('7.1.1')), close(1000)), after('7.1.1', [[closed(1000)]]));
add('7.1.2', 'two close frames', together(close(1000), close(1000)), [[closed(1000)], [DROPPED]]);
add('7.1.3', 'a ping after a close frame', together(close(1000), ping('late')), [[closed(1000)]]);
add('7.1.4', 'a message after a close frame', together(close(1000), text(message('late'))), [[closed(1000)]]);
add('7.1.5', 'a close frame within a message', together(first, close(1000), second), [[closed(1000)]]);
add('7.1.6', 'a message of 256 KiB, a close frame, a ping',
  together(text(message('7.1.6', 262_144)), close(1000), ping('late')), after('7.1.6', [[closed(1000)]]));
add('7.3.1', 'a close frame without payload', each(frame('', { opcode: CLOSE })), [[closed()]]);
add('7.3.2', 'a close frame with a payload of one byte', each(frame('x', { opcode: CLOSE })), FAILED);
add('7.3.3', 'a close frame with a code', each(close(1000)), [[closed(1000)]]);
add('7.3.4', 'a close frame with a reason', each(close(1000, 'a reason')), [[closed(1000)]]);
add('7.3.5', 'a close frame with the longest reason', each(close(1000, 'x'.repeat(123))), [[closed(1000)]]);
add('7.3.6', 'a close frame with a longer one', each(close(1000, 'x'.repeat(124))), [...FAILED, [DROPPED]]);
add('7.5.1', 'a close frame with a reason that is no UTF-8', each(close(1000, surrogate)), [...NOT_UTF8, [DROPPED]]);
[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].forEach((code, i) =>
  add(`7.7.${i + 1}`, `the good close code ${code}`, each(close(code)), [[closed(code)]]));
[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999].forEach((code, i) =>
  add(`7.9.${i + 1}`, `the bad close code ${code}`, each(close(code)), FAILED));
[5000, 65_535].forEach((code, i) => // §7.4.2 does not say what these are
  add(`7.13.${i + 1}`, `the close code ${code} that no rule knows`, each(close(code)), [[closed(code)], ...FAILED]));

// ---- 10: fragments of a size of their own ----

add('10.1.1', 'a message of 65536 bytes in fragments of 1300',
  each(...fragments(...cut(message('10.1.1', 65_536), 1300))), stays(answered('10.1.1')));
