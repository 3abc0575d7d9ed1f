/* Who listens to what. One listener's exception reaches the console, not the other listeners. */
import type { ClientEvent, ShortEvent } from './types.js';

/** Names of the guide for `subscribe(handler)`. */
const SHORT: Record<string, string> = {
  new_notification: 'new',
  notification_updated: 'updated',
  notification_deleted: 'deleted',
  unread_notifications: 'unread',
  unread_count: 'count',
};

export interface Events {
  emit(event: ClientEvent): void;
  on(type: string, handler: (event: never) => void): () => void;
}

export function shortEvent(event: ClientEvent): ShortEvent {
  const data = event.type in SHORT && 'notification' in event ? event.notification : event;
  return { type: SHORT[event.type] ?? event.type, data };
}

export function createEvents(): Events {
  const listeners = new Set<{ type: string; handler: (event: ClientEvent) => void }>();
  return {
    emit(event) {
      for (const { type, handler } of listeners) {
        if (type !== '*' && type !== event.type) continue;
        try {
          handler(event);
        } catch (error) {
          queueMicrotask(() => { throw error; });
        }
      }
    },
    on(type, handler) {
      const listener = { type, handler: handler as (event: ClientEvent) => void };
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
