// What a relay may log: one event a line, logfmt or JSON, of the vocabulary in docs/OPERATIONS.md; never a token, a
// query string, a payload, a password or a key. Every relay of the tests is held against it at its end.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './env.mjs';

/** In titles, messages, headers and commands all over the tests; no log may have it. */
export const CANARY = 'canary-7Qz';

const secretTexts = new Set();

/** Returns the text, which no log may have from now on. */
export function secretText(text) {
  secretTexts.add(text);
  return text;
}

/** Event → its levels, as documented. */
function documentedEvents() {
  const events = new Map();
  const table = readFileSync(join(root, 'docs/OPERATIONS.md'), 'utf8').split('| event | level |')[1].split('\n\n')[0];
  for (const [, names, levels] of table.matchAll(/^\| (`[^|]+) \| ([a-z, ]+) \|/gm)) {
    for (const [, name] of names.matchAll(/`(\w+)`/g)) events.set(name, levels.split(', '));
  }
  return events;
}

const events = documentedEvents();

// What would end, overwrite or reorder a line where it is read must be written as an escape.
const HOSTILE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const PAIR = /([a-z][a-z0-9_]*)=(?:"((?:[^"\\]|\\["\\nrt]|\\u[0-9a-f]{4}|\\x[0-9a-f]{2})*)"|([^\s"=\\]+))(?: |$)/y;

function parseLogfmt(line) {
  const event = {};
  for (PAIR.lastIndex = 0; PAIR.lastIndex < line.length;) {
    const pair = PAIR.exec(line);
    if (!pair) throw new Error('no logfmt');
    const [, key, quoted, plain] = pair;
    if (key in event) throw new Error(`${key} twice`);
    event[key] = plain ?? JSON.parse(`"${quoted.replaceAll(/\\x(..)/g, '\\u00$1')}"`);
  }
  return event;
}

/** The event of a line; an error says what is wrong with it. */
export function parseLogLine(line) {
  if (HOSTILE.test(line)) throw new Error('a control character');
  const event = line.startsWith('{') ? JSON.parse(line) : parseLogfmt(line);
  assert.deepEqual(Object.keys(event).slice(0, 4), ['time', 'level', 'event', 'pid'], 'the first fields');
  assert.match(event.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(events.has(event.event), 'an event that docs/OPERATIONS.md does not have');
  assert.doesNotMatch(line, /column number \d+ is out of range/, 'libpq was asked for what is not there');
  assert.ok(events.get(event.event).includes(event.level), 'another level than in docs/OPERATIONS.md');
  return event;
}

export const parseLog = (log) => log.split('\n').filter((line) => line !== '').map(parseLogLine);

export function assertLogLines(log) {
  const odd = [];
  for (const line of log.split('\n')) {
    try {
      if (line !== '') parseLogLine(line);
    } catch (error) {
      odd.push(`${error.message.split('\n')[0]}: ${line}`);
    }
  }
  assert.deepEqual(odd.slice(0, 20), [], 'lines of the log that are not events');
}

const secretPatterns = [
  /dummy-jwt-for-(?!\{)/, /eyJ[A-Za-z0-9_-]{8}/, /[?&](token|cursor)=/, new RegExp(CANARY, 'i'), /s3cret/i, /Bearer /,
  /AddressSanitizer|LeakSanitizer|runtime error:/,
];

export function assertNoSecrets(log) {
  const isLeak = (line) =>
    secretPatterns.some((secret) => secret.test(line)) || [...secretTexts].some((text) => line.includes(text));
  const leaks = log.split('\n').filter(isLeak);
  assert.deepEqual(leaks.slice(0, 5), [], 'lines of the log with a token, a query string, a payload or a key');
}
