/* The proof of `pgherald dev --check`, as the guide's client does it: connect
 * with a development token, wait for frames, send mark_read. libwebsockets' own
 * loop, woken often to look at the clock, at the relay process and at Ctrl-C. */
#include "dev_check.h"

#include "clock.h"

#include <jansson.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FRAME_BYTES = 65536, OUT_BYTES = 256, LOOK_EVERY_US = 50000 };

struct check {
    struct lws_context *context;
    struct lws *wsi; /* NULL once closed */
    lws_sorted_usec_list_t look;
    bool closed;
    char why_closed[160];
    char frame[FRAME_BYTES]; /* the message being received */
    size_t frame_length;
    json_t *frames; /* an array: received and not yet looked at */
    char out[LWS_PRE + OUT_BYTES];
    size_t out_length; /* bytes to send; 0: nothing */
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---- libwebsockets ---- */

static void frame_receive(struct check *check, struct lws *wsi, const void *in, size_t length)
{
    if (check->frame_length + length > sizeof check->frame)
        length = sizeof check->frame - check->frame_length; /* cut: no JSON then, and said so */
    memcpy(check->frame + check->frame_length, in, length);
    check->frame_length += length;
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
        return;
    json_t *frame = json_loadb(check->frame, check->frame_length, JSON_REJECT_DUPLICATES, NULL);
    json_array_append_new(check->frames, frame ? frame : json_null());
    check->frame_length = 0;
}

static void closed_note(struct check *check, const char *what, const void *in, size_t length)
{
    if (!check->closed)
        snprintf(check->why_closed, sizeof check->why_closed, "%s%.*s", what, (int)(in ? length : 0),
                 in ? (const char *)in : "");
    check->closed = true;
}

static void peer_close_note(struct check *check, const unsigned char *in, size_t length)
{
    char what[64] = "the relay closed the connection";
    if (length >= 2)
        snprintf(what, sizeof what, "the relay closed the connection: %d ", in[0] << 8 | in[1]);
    closed_note(check, what, length > 2 ? in + 2 : NULL, length > 2 ? length - 2 : 0);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length)
{
    (void)user;
    struct check *check = lws_context_user(lws_get_context(wsi));
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_RECEIVE:
        frame_receive(check, wsi, in, length);
        break;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        if (check->out_length &&
            lws_write(wsi, (unsigned char *)check->out + LWS_PRE, check->out_length, LWS_WRITE_TEXT) < 0)
            return -1;
        check->out_length = 0;
        break;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        peer_close_note(check, in, length);
        break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        closed_note(check, "cannot connect: ", in, length);
        check->wsi = NULL;
        break;
    case LWS_CALLBACK_CLIENT_CLOSED:
        closed_note(check, "the connection was lost", NULL, 0);
        check->wsi = NULL;
        break;
    default:
        break;
    }
    return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = "check", .callback = on_event, .rx_buffer_size = 4096}, {0}};

static void look_again(lws_sorted_usec_list_t *look)
{
    struct check *check = lws_container_of(look, struct check, look);
    lws_sul_schedule(check->context, 0, &check->look, look_again, LOOK_EVERY_US);
}

static bool check_open(struct check *check, const char *host, int port)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN, .protocols = protocols, .user = check};
    lws_set_log_level(0, NULL);
    check->frames = json_array();
    check->context = lws_create_context(&info);
    if (!check->context)
        return false;
    look_again(&check->look);
    struct lws_client_connect_info target = {.context = check->context,
                                             .address = host,
                                             .port = port,
                                             .path = "/api/v1/notifications/ws?token=dummy-jwt-for-alice",
                                             .host = host,
                                             .local_protocol_name = "check",
                                             .pwsi = &check->wsi};
    return lws_client_connect_via_info(&target) != NULL || check->closed;
}

static void check_close(struct check *check)
{
    if (check->context)
        lws_context_destroy(check->context);
    json_decref(check->frames);
    free(check);
}

/* ---- waiting ---- */

struct watch {
    struct dev_process *relay;
    uint64_t deadline_ms;
};

/* One turn of the loop. False: no use to go on, error tells why. */
static bool check_turn(struct check *check, const struct watch *watch, char error[DEV_ERROR_BYTES])
{
    char end[64];
    if (check->closed)
        return dev_fail(error, "%s", check->why_closed);
    if (clock_now_ms() >= watch->deadline_ms)
        return dev_fail(error, "nothing came in time");
    if (!dev_process_running(watch->relay)) {
        dev_process_describe(watch->relay, end, sizeof end);
        return dev_fail(error, "the relay %s", end);
    }
    if (!dev_pause(0))
        return dev_fail(error, "stopped");
    lws_service(check->context, 0);
    return true;
}

/* The next frame of that type; others are passed over. The caller gives it
 * back with json_decref(). */
static json_t *frame_wait(struct check *check, const struct watch *watch, const char *type,
                          char error[DEV_ERROR_BYTES])
{
    for (;;) {
        while (json_array_size(check->frames) == 0) {
            if (!check_turn(check, watch, error))
                return NULL;
        }
        json_t *frame = json_incref(json_array_get(check->frames, 0));
        json_array_remove(check->frames, 0);
        const char *found = json_string_value(json_object_get(frame, "type"));
        if (found && strcmp(found, type) == 0)
            return frame;
        if (!found)
            dev_fail(error, "the relay sent a frame that is not an object with a type");
        bool failed = !found;
        if (found && strcmp(found, "error") == 0)
            failed =
                !dev_fail(error, "the relay says: %s", json_string_value(json_object_get(frame, "message")));
        json_decref(frame);
        if (failed)
            return NULL;
    }
}

static bool frame_send(struct check *check, const struct watch *watch, const char *text,
                       char error[DEV_ERROR_BYTES])
{
    check->out_length = (size_t)snprintf(check->out + LWS_PRE, OUT_BYTES, "%s", text);
    lws_callback_on_writable(check->wsi);
    while (check->out_length) {
        if (!check_turn(check, watch, error))
            return false;
    }
    return true;
}

/* ---- the database ---- */

/* One text value of one row, into value. */
static bool database_ask(PGconn *db, const char *sql, const char *param, char *value, size_t size,
                         char error[DEV_ERROR_BYTES])
{
    PGresult *res = PQexecParams(db, sql, param ? 1 : 0, NULL, param ? &param : NULL, NULL, NULL, 0);
    bool ok = PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) == 1;
    if (ok)
        snprintf(value, size, "%s", PQgetvalue(res, 0, 0));
    else
        dev_fail(error, "%.*s", (int)strcspn(PQerrorMessage(db), "\n"), PQerrorMessage(db));
    PQclear(res);
    return ok;
}

/* ---- the check ---- */

static bool notification_is(const json_t *frame, const char *id)
{
    const char *found = json_string_value(json_object_get(json_object_get(frame, "notification"), "id"));
    return found && strcmp(found, id) == 0;
}

/* INSERT, and the frame of exactly that row. id gets the row's. */
static bool check_arrival(struct check *check, const struct watch *watch, PGconn *db, char id[64], double *ms,
                          char error[DEV_ERROR_BYTES])
{
    double start_ms = now_ms();
    if (!database_ask(db,
                      "insert into herald.notifications (user_id, title, message)"
                      " values ('alice', 'Hello', 'from pgherald dev --check') returning id",
                      NULL, id, 64, error))
        return false;
    for (bool found = false; !found;) {
        json_t *frame = frame_wait(check, watch, "new_notification", error);
        if (!frame)
            return false;
        found = notification_is(frame, id);
        json_decref(frame);
    }
    *ms = now_ms() - start_ms;
    return true;
}

static bool check_read(struct check *check, const struct watch *watch, const char *id, double *ms,
                       char error[DEV_ERROR_BYTES])
{
    char text[OUT_BYTES];
    double start_ms = now_ms();
    snprintf(text, sizeof text, "{\"type\":\"mark_read\",\"notification_id\":\"%s\"}", id);
    if (!frame_send(check, watch, text, error))
        return false;
    json_t *frame = frame_wait(check, watch, "notification_updated", error);
    if (!frame)
        return false;
    bool ok = json_is_true(json_object_get(frame, "success")) && notification_is(frame, id);
    json_decref(frame);
    *ms = now_ms() - start_ms;
    return ok || dev_fail(error, "the relay did not mark it read");
}

static bool check_row(PGconn *db, const char *id, char error[DEV_ERROR_BYTES])
{
    char answer[8];
    return database_ask(db, "select read_at is not null from herald.notifications where id = $1::uuid", id,
                        answer, sizeof answer, error) &&
           (answer[0] == 't' || dev_fail(error, "read_at is still null"));
}

bool dev_check_run(const char *host, int port, PGconn *db, struct dev_process *relay, uint64_t deadline_ms,
                   struct dev_check_result *result, const char **step, char error[DEV_ERROR_BYTES])
{
    struct watch watch = {.relay = relay, .deadline_ms = deadline_ms};
    struct check *check = calloc(1, sizeof *check);
    char id[64];
    bool ok = false;
    if (!check)
        return dev_fail(error, "out of memory");
    *step = "connecting a WebSocket as alice";
    if (!check_open(check, host, port)) {
        dev_fail(error, "libwebsockets could not start a client");
        goto out;
    }
    json_t *hello = frame_wait(check, &watch, "connected", error);
    if (!hello)
        goto out;
    json_decref(hello);
    *step = "waiting for the inserted row's new_notification";
    if (!check_arrival(check, &watch, db, id, &result->arrive_ms, error))
        goto out;
    *step = "marking it read";
    if (!check_read(check, &watch, id, &result->read_ms, error))
        goto out;
    *step = "looking for read_at in the row";
    ok = check_row(db, id, error);
out:
    check_close(check);
    return ok;
}
