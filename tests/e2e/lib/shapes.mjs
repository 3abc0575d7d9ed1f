// The exact shape of every frame the server may send: which fields, of which
// form, and no others. Clients check each frame they get against it.
import assert from 'node:assert/strict';

export const TIME = /^\d{4}-(0\d|1[0-2])-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{6}Z$/;
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const ERROR_CODES = [
  'bad_json', 'bad_message', 'unknown_type', 'bad_field', 'not_authenticated',
  'not_found', 'rate_limited', 'too_many', 'unavailable', 'internal',
];

const is = {
  text: (v) => typeof v === 'string',
  word: (v) => typeof v === 'string' && v.length > 0,
  time: (v) => typeof v === 'string' && TIME.test(v),
  uuid: (v) => typeof v === 'string' && UUID.test(v),
  count: (v) => Number.isInteger(v) && v >= 0,
  flag: (v) => typeof v === 'boolean',
  code: (v) => ERROR_CODES.includes(v),
  any: () => true,
  exactly: (value) => (v) => v === value,
  orNull: (check) => (v) => v === null || check(v),
  oneOf: (...values) => (v) => values.includes(v),
  listOf: (check) => (v) => Array.isArray(v) && v.every(check),
};

const notification = {
  id: is.uuid,
  title: is.text,
  message: is.text,
  category: is.orNull(is.text),
  severity: is.oneOf('info', 'success', 'warning', 'error'),
  action_url: is.orNull(is.text),
  data: is.any,
  created_at: is.time,
  read_at: is.orNull(is.time),
  is_read: is.flag,
  version: (v) => Number.isInteger(v) && v >= 1,
};

const isNotification = (v) => complaints(v, notification).length === 0 && v.is_read === (v.read_at !== null);

const list = { count: is.count, notifications: is.listOf(isNotification), next: is.orNull(is.word), cursor: is.word };

/** Fields by type; `?` marks those that may be absent. `ref` may be in any answer. */
const frames = {
  connected: {
    message: is.exactly('Application startup complete'), user_id: is.word, session_id: is.uuid,
    unread_count: is.count, cursor: is.word, heartbeat_interval: is.count,
    token_expires_at: is.orNull(is.time), protocol: is.exactly(1), 'ref?': is.text,
  },
  new_notification: { notification: isNotification, cursor: is.word },
  notification_deleted: { notification_id: is.uuid, cursor: is.word },
  unread_notifications: { ...list, 'ref?': is.text },
  notifications: { ...list, 'ref?': is.text },
  unread_count: { count: is.count, cursor: is.word, 'ref?': is.text },
  token_expiring: { expires_in: is.count },
  authenticated: { token_expires_at: is.orNull(is.time), 'ref?': is.text },
  draining: { retry_after_ms: is.count },
  pong: { cursor: is.word, 'ref?': is.text },
  error: { message: is.word, code: is.code, 'retry_after_ms?': is.count, 'ref?': is.text },
};

const updated = {
  done: { notification_id: is.uuid, success: is.exactly(true), notification: isNotification, cursor: is.word, 'ref?': is.text },
  refused: { notification_id: is.text, success: is.exactly(false), code: is.code, 'ref?': is.text },
};

const resumed = {
  replayed: { cursor: is.word, count: is.count, 'ref?': is.text },
  resync: { cursor: is.word, resync: is.exactly(true), 'ref?': is.text },
};

function fieldsOf(frame) {
  if (frame.type === 'notification_updated') return frame.success === false ? updated.refused : updated.done;
  if (frame.type === 'resumed') return frame.resync === undefined ? resumed.replayed : resumed.resync;
  return frames[frame.type];
}

function complaints(value, fields) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return ['not an object'];
  const found = [];
  for (const [key, check] of Object.entries(fields)) {
    const name = key.replace('?', '');
    if (!(name in value)) {
      if (!key.endsWith('?')) found.push(`${name} is missing`);
    } else if (!check(value[name])) {
      found.push(`${name} is ${JSON.stringify(value[name])?.slice(0, 200)}`);
    }
  }
  const known = Object.keys(fields).map((key) => key.replace('?', ''));
  for (const name of Object.keys(value)) if (!known.includes(name)) found.push(`${name} is not in the table`);
  return found;
}

/** What is wrong with a frame; null when nothing is, or when its type is the application's. */
export function frameComplaint(frame) {
  const fields = fieldsOf(frame);
  if (!fields) return null;
  const { type, ...rest } = frame;
  const found = complaints(rest, fields);
  if (type === 'notification_updated' && frame.success && frame.notification?.id !== frame.notification_id) {
    found.push('notification_id is not the id of notification');
  }
  return found.length ? `${type}: ${found.join('; ')}` : null;
}

/** Fails unless the value is a notification, with these members among its own. */
export function assertNotification(value, members = {}) {
  assert.deepEqual(complaints(value, notification), []);
  for (const [name, expected] of Object.entries(members)) assert.deepEqual(value[name], expected, name);
}
