// Every frame that a client of these tests gets is held against docs/protocol/schemas: which fields, of which
// form, and no others.
import assert from 'node:assert/strict';
import { complaints, formOf, FORMS } from './schemas.mjs';

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** What is wrong with a frame; null when nothing is, or when its type is the application's. */
export function frameComplaint(frame) {
  if (frame.type === 'notification_updated' && frame.success && frame.notification?.id !== frame.notification_id) {
    return 'notification_updated: notification_id is not the id of notification';
  }
  const forms = FORMS.server.get(frame.type);
  if (!forms || formOf('server', frame)) return null;
  return forms.map((name) => `${name}: ${complaints('server', name, frame).join('; ')}`).join(' | or ');
}

/** Fails unless the value is a notification, with these members among its own. */
export function assertNotification(value, members = {}) {
  assert.deepEqual(complaints('server', 'notification', value), []);
  for (const [name, expected] of Object.entries(members)) assert.deepEqual(value[name], expected, name);
}
