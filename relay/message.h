/* The server's messages: one function a type of docs/PROTOCOL.md's table, each
 * returning a finished frame with one reference. `ref` is JSON text with its
 * quotes, or "". Notification JSON comes from PostgreSQL and is passed through. */
#ifndef PGHERALD_MESSAGE_H
#define PGHERALD_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "change.h"
#include "frame.h"

struct frame *message_connected(const char *user_id, const char *session_id, int64_t unread_count,
                                const char *cursor, int heartbeat_s, int64_t token_expires_s /* 0: never */,
                                const char *ref);
struct frame *message_authenticated(int64_t token_expires_s, const char *ref);
struct frame *message_token_expiring(int64_t expires_in_s);
/* n, u, d, m; NULL for a kind that has no frame. */
struct frame *message_change(const struct change *change);
struct frame *message_marked(const struct uuid *id, struct text notification, const char *cursor,
                             const char *ref);
/* The notification in a CHANGE_UPDATED's frame, borrowed. */
struct text message_notification(const struct frame *frame);
/* The cursor in a frame that was made here, borrowed; empty when it has none. */
struct text message_cursor(const struct frame *frame);
/* Whether a notification's JSON, as herald.notification_json() writes it, says that it is read. */
bool message_is_read(struct text notification);
struct frame *message_mark_failed(const struct uuid *id, const char *code, const char *ref);
/* type: "unread_notifications" or "notifications"; list is a JSON array; next is empty for null. */
struct frame *message_page(const char *type, int64_t count, struct text list, struct text next,
                           const char *cursor, const char *ref);
struct frame *message_unread_count(int64_t count, const char *cursor, const char *ref);
struct frame *message_resumed(int count, const char *cursor, const char *ref);
struct frame *message_resync(const char *cursor, const char *ref);
/* retry_after_ms: how long the client should wait after the close that follows. */
struct frame *message_draining(int64_t retry_after_ms);
struct frame *message_pong(const char *cursor, const char *ref);
struct frame *message_error(const char *code, const char *message, int64_t retry_after_ms /* 0: none */,
                            const char *ref);

#endif
