/* A script of what can happen to sessions: each byte chooses the next step, the bytes behind it its details.
 * The relay's modules are real; sockets, clients and database are simulated. After each step what was written
 * to the sockets is read as clients read it. At the end everything is answered and written, and then every
 * tab must know what the database has: nothing lost, nothing of anybody else's, nothing that is gone. */
#include "fuzz.h"

#include "drain.h"
#include "fake_database.h"

enum { TABS = 4, QUERIES_MAX = 200, STEPS_MAX = 400, SETTLING_TURNS = 60, REST_SIZE = 256 };

/* A client and the socket it has now. */
struct tab {
    struct fake_socket socket;
    bool open;              /* the socket is there */
    bool connected, closed; /* said so by their frames */
    int user;               /* -1: not known yet */
    char rest[REST_SIZE];   /* of a message that was sent in part */

    bool returns; /* it had been connected before and knows what it knew */
    char cursor[CURSOR_TEXT_SIZE];
    uint64_t since; /* it has been told of all changes from here on */
    struct note shown[NOTES];
    int fed[NOTES];   /* the newest version that the feed brought */
    bool awaits_page; /* it was told to forget everything */
    bool lost;        /* and did not get the page */
};

static struct tab tabs[TABS];
static int most_queue_bytes, most_tabs; /* limits change on the way: the largest there were */

/* ---- what clients read ---- */

static void see(struct tab *tab, const json_t *notification)
{
    int user, note;
    const char *id = json_string_value(json_object_get(notification, "id"));
    const char *by = json_string_value(json_object_get(notification, "by"));
    int version = (int)json_integer_value(json_object_get(notification, "version"));
    assert(note_find(id, &user, &note));
    assert(user == tab->user);
    assert(strcmp(json_string_value(json_object_get(notification, "owner")), user_names[user]) == 0);
    if (strcmp(by, "feed") == 0) {
        assert(version >= tab->fed[note]);
        tab->fed[note] = version;
    }
    if (tab->shown[note].exists && version < tab->shown[note].version)
        return;
    tab->shown[note] = (struct note){.exists = true, .version = version};
}

static void see_page(struct tab *tab, const json_t *frame)
{
    const json_t *list = json_object_get(frame, "notifications");
    if (tab->awaits_page)
        tab->since = 0;
    tab->awaits_page = false;
    assert(json_is_array(list));
    for (size_t i = 0; i < json_array_size(list); i++)
        see(tab, json_array_get(list, i));
}

static void see_deletion(struct tab *tab, const json_t *frame)
{
    int user, note;
    assert(note_find(json_string_value(json_object_get(frame, "notification_id")), &user, &note));
    assert(user == tab->user);
    tab->shown[note].exists = false;
}

static void see_connected(struct tab *tab, const json_t *frame)
{
    struct cursor cursor;
    assert(!tab->connected);
    tab->connected = true;
    tab->user = user_find(json_string_value(json_object_get(frame, "user_id")));
    assert(tab->user >= 0);
    assert(cursor_parse(tab->cursor, strlen(tab->cursor), &cursor));
    if (!tab->returns)
        tab->since = cursor.xmin;
}

static void see_resumed(struct tab *tab, const json_t *frame)
{
    if (!json_is_true(json_object_get(frame, "resync")))
        return;
    memset(tab->shown, 0, sizeof(tab->shown));
    tab->awaits_page = true;
    tab->lost = false;
}

static void see_text(struct tab *tab, struct text payload)
{
    json_t *frame = json_loadb(payload.bytes, payload.size, JSON_REJECT_DUPLICATES, NULL);
    const char *type = json_string_value(json_object_get(frame, "type"));
    const char *cursor = json_string_value(json_object_get(frame, "cursor"));
    assert(type);
    if (cursor)
        snprintf(tab->cursor, sizeof(tab->cursor), "%s", cursor);
    if (strcmp(type, "connected") == 0)
        see_connected(tab, frame);
    assert(tab->connected || strcmp(type, "error") == 0);
    if (strcmp(type, "new_notification") == 0 || strcmp(type, "notification_updated") == 0) {
        if (json_object_get(frame, "notification"))
            see(tab, json_object_get(frame, "notification"));
    } else if (strcmp(type, "notification_deleted") == 0) {
        see_deletion(tab, frame);
    } else if (strcmp(type, "unread_notifications") == 0 || strcmp(type, "notifications") == 0) {
        see_page(tab, frame);
    } else if (strcmp(type, "resumed") == 0) {
        see_resumed(tab, frame);
    } else if (strcmp(type, "error") == 0 && tab->awaits_page) {
        tab->awaits_page = false;
        tab->lost = true;
    } else if (strcmp(type, "broadcast") == 0) {
        const char *owner = json_string_value(json_object_get(frame, "owner"));
        assert(strcmp(owner, "*") == 0 || strcmp(owner, user_names[tab->user]) == 0);
    }
    json_decref(frame);
}

static void see_close(struct tab *tab, struct text payload)
{
    int code = (uint8_t)payload.bytes[0] << 8 | (uint8_t)payload.bytes[1];
    assert(payload.size >= 2 && payload.size <= 2 + FRAME_REASON_MAX);
    assert(code == 1001 || code == 1003 || code == 1009 || code == 1013 || (code >= 4000 && code <= 4029));
    tab->closed = true;
}

/* RFC 6455 §5.2: a whole frame, no reserved bits, no mask, the shortest form of its length. */
static void assert_well_formed(const struct frame *frame)
{
    size_t head = (size_t)(frame_payload(frame).bytes - (const char *)frame->bytes);
    size_t payload = frame->size - head;
    assert(frame->bytes[0] == 0x81 || frame->bytes[0] == 0x88 || frame->bytes[0] == 0x89);
    assert(!(frame->bytes[1] & 0x80));
    assert(head == (payload < 126 ? 2U : payload <= UINT16_MAX ? 4U : 10U));
    assert(frame->bytes[0] == 0x81 || payload < 126);
}

static void read_frames(struct tab *tab)
{
    struct frame *frame;
    while ((frame = next_frame(&tab->socket))) {
        assert(!tab->closed); /* nothing follows a close frame */
        assert_well_formed(frame);
        if (frame->bytes[0] == 0x81)
            see_text(tab, frame_payload(frame));
        else if (frame->bytes[0] == 0x88)
            see_close(tab, frame_payload(frame));
        frame_drop(frame);
    }
}

/* ---- what must hold after each step ---- */

static void assert_outbox(const struct outbox *outbox)
{
    uint64_t all = 0, passing = 0, first = 0;
    for (const struct outbox_node *node = outbox->head; node; node = node->next) {
        all += node->frame->size;
        if (node->frame->passing && !passing)
            first = node->frame->size;
        passing += node->frame->passing ? node->frame->size : 0;
    }
    assert(all == outbox->bytes);
    assert(passing <= (uint64_t)most_queue_bytes || passing == first);
}

static int assert_tab(struct tab *tab)
{
    if (!tab->open)
        return 0;
    read_frames(tab);
    if (tab->socket.gone) {
        tab->open = false;
        socket_close(&tab->socket);
        return 0;
    }
    const struct session *session = tab->socket.session;
    assert_outbox(&session->outbox);
    assert((session->user != NULL) == (session->state == SESSION_JOINED || session->state == SESSION_OPEN));
    assert((session_find(&fake_relay, session->id) == session) == (session->state < SESSION_ENDING));
    assert(!session->replay || session->state == SESSION_OPEN);
    return 1;
}

static void assert_all(void)
{
    int count = 0, joined = 0, listed = 0;
    for (int i = 0; i < TABS; i++) {
        count += assert_tab(&tabs[i]);
        joined += tabs[i].open && tabs[i].socket.session->user;
    }
    assert(count == fake_relay.sessions.count);
    const struct user *user;
    for (size_t at = 0; (user = table_next(&fake_relay.router.users, &at));) {
        assert(user->tab_count > 0 && user->tab_count <= most_tabs);
        listed += user->tab_count;
    }
    assert(listed == joined);
    run_statements();
}

/* ---- what can happen ---- */

static const char *const messages[] = {
    "{\"type\":\"ping\",\"ref\":\"p\"}",
    "{\"type\":\"get_unread\"}",
    "{\"type\":\"get_notifications\",\"limit\":100,\"ref\":\"g\"}",
    "{\"type\":\"mark_read\",\"notification_id\":\"00000000-0000-0000-0000-000000000000\",\"ref\":\"m\"}",
    "{\"type\":\"mark_read\",\"notification_id\":\"00000000-0000-0000-0000-000000000001\"}",
    ("{\"type\":\"mark_read\",\"notification_ids\":[\"00000000-0000-0000-0000-000000000001\","
     "\"00000001-0000-0000-0000-000000000001\",\"00000000-0000-0000-0000-000000000001\"]}"),
    "{\"type\":\"mark_read\",\"notification_id\":\"00000001-0000-0000-0000-000000000000\",\"ref\":\"b\"}",
    "{\"type\":\"mark_all_read\",\"ref\":\"all\"}",
    "{\"type\":\"mark_all_read\",\"until\":\"2026-11-22T00:00:00Z\"}",
    "{\"type\":\"mark_all_read\",\"until\":\"deadbeef-735\"}",
    "{\"type\":\"resume\",\"cursor\":\"deadbeef-731\"}",
    "{\"type\":\"resume\",\"cursor\":\"00000000-1\",\"ref\":\"r\"}",
    "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-alice\"}",
    "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-bob\",\"ref\":\"a\"}",
    "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-nobody\"}",
    "{\"type\":\"authenticate\",\"token\":\"x\"}",
    "{\"type\":\"unknown\"}",
    "[]",
};

static void open_tab(struct tab *tab, const char *address)
{
    if (tab->open)
        return;
    tab->connected = tab->closed = tab->awaits_page = false;
    tab->rest[0] = '\0';
    memset(tab->fed, 0, sizeof(tab->fed));
    socket_open_from(&tab->socket, address);
    tab->open = true;
}

/* A new client. */
static void start_tab(struct tab *tab, uint8_t from)
{
    static const char *const addresses[] = {"", "192.0.2.1", "192.0.2.2"};
    if (tab->open)
        return;
    *tab = (struct tab){.user = -1};
    open_tab(tab, addresses[from % 3]);
}

static void receive(struct tab *tab, const char *text, size_t size, bool binary, bool final, size_t announced)
{
    if (!tab->open)
        return;
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    session_receive(tab->socket.session, copy, size, binary, final, announced);
    free(copy);
}

/* The client comes back with the cursor it has; if it was told to forget everything it has none. */
static void return_tab(struct tab *tab)
{
    char text[TEXT_SIZE];
    if (tab->open || tab->user < 0 || tab->lost)
        return;
    tab->returns = true;
    open_tab(tab, "");
    int size = snprintf(text, sizeof(text),
                        "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-%s\",\"cursor\":\"%s\"}",
                        user_names[tab->user], tab->cursor);
    receive(tab, text, (size_t)size, false, true, 0);
}

static void log_in(struct tab *tab, int user)
{
    const char *text = messages[12 + user];
    start_tab(tab, 0);
    receive(tab, text, strlen(text), false, true, 0);
}

/* The first bytes of a message now, the others by another step. */
static void send_part(struct tab *tab, const char *text, size_t cut, bool announces)
{
    size_t size = strlen(text);
    cut %= size;
    snprintf(tab->rest, sizeof(tab->rest), "%s", text + cut);
    receive(tab, text, cut, false, false, announces ? size - cut : 0);
}

static void send_rest(struct tab *tab)
{
    receive(tab, tab->rest, strlen(tab->rest), false, true, 0);
    tab->rest[0] = '\0';
}

static void send_garbage(struct tab *tab, struct input *input)
{
    uint8_t flags = input_byte(input);
    size_t size = input_byte(input);
    const char *bytes = input_bytes(input, size, &size);
    receive(tab, bytes, size, (flags & 7) == 7, flags & 8, flags & 16 ? flags * 16U : 0);
}

/* libwebsockets says that it can be written to only when it was asked. */
static void take_bytes_again(struct tab *tab)
{
    if (!tab->open)
        return;
    tab->socket.writes_left = -1;
    if (tab->socket.wanted)
        session_writable(tab->socket.session);
    tab->socket.wanted = false;
}

static void lose_socket(struct tab *tab)
{
    if (!tab->open)
        return;
    socket_close(&tab->socket);
    tab->open = false;
}

static void broadcast(int user, size_t padding)
{
    char body[1024];
    int size = snprintf(body, sizeof(body), "{\"type\":\"broadcast\",\"owner\":\"%s\",\"x\":\"%0*d\"}",
                        user < USERS ? user_names[user] : "*", (int)(padding * 3 + 1), 0);
    struct change change = {.kind = CHANGE_MESSAGE, .body = {body, (size_t)size}};
    struct change_sink sink = relay_sink(&fake_relay);
    if (user < USERS)
        change.user = text_of(user_names[user]);
    sink.change(sink.owner, &change);
}

static void disconnect_user(int user)
{
    struct change change = {.kind = CHANGE_DISCONNECT, .user = text_of(user_names[user])};
    struct change_sink sink = relay_sink(&fake_relay);
    sink.change(sink.owner, &change);
}

static void change_limit(struct input *input)
{
    uint8_t which = input_byte(input), value = input_byte(input);
    switch (which % 5) {
    case 0:
        fake_config.queue_bytes = 200 + value * 20;
        break;
    case 1:
        fake_config.max_connections_per_user = 1 + value % TABS;
        break;
    case 2:
        fake_config.max_connections_per_ip = 1 + value % TABS;
        break;
    case 3:
        fake_config.max_connections = 1 + value % (TABS + 1);
        break;
    default:
        fake_config.rate_limit.per_s = fake_config.rate_limit.burst = 1 + value;
    }
    if (fake_config.queue_bytes > most_queue_bytes)
        most_queue_bytes = fake_config.queue_bytes;
    if (fake_config.max_connections_per_user > most_tabs)
        most_tabs = fake_config.max_connections_per_user;
}

static void drain(void)
{
    fake_relay.stopping = true;
    drain_start(&fake_relay, 0);
    drain_finish(&fake_relay);
}

/* Room for whatever a step may add. */
static void keep_bounds(void)
{
    while (fake_desk.count > QUERIES_MAX)
        database_answer(ANSWER_NEVER);
    if (database.event_count > EVENTS_MAX / 2)
        feed_deliver(EVENTS_MAX);
}

static void step(struct input *input)
{
    uint8_t what = input_byte(input);
    struct tab *tab = &tabs[what / 32 % TABS];
    uint8_t how = input_byte(input);
    const char *message = messages[how % (sizeof(messages) / sizeof(*messages))];
    switch (what % 32) {
    case 0:
        start_tab(tab, how);
        return;
    case 1:
    case 2:
        log_in(tab, how % USERS);
        return;
    case 3:
        return_tab(tab);
        return;
    case 4:
    case 5:
        receive(tab, message, strlen(message), false, true, 0);
        return;
    case 6:
        send_part(tab, message, input_byte(input), how & 128);
        return;
    case 7:
        send_rest(tab);
        return;
    case 8:
        send_garbage(tab, input);
        return;
    case 9:
        if (tab->open)
            session_heard(tab->socket.session);
        return;
    case 10:
        tab->socket.writes_left = how % 4;
        return;
    case 11:
        take_bytes_again(tab);
        return;
    case 12:
        lose_socket(tab);
        return;
    case 13:
        tab->socket.broken = true;
        return;
    case 14:
    case 15:
    case 16:
        write_note(how % USERS, how / 2 % NOTES, how / 16 % 2);
        return;
    case 17:
    case 18:
        feed_deliver(how % 8);
        return;
    case 19:
    case 20:
        database_answer(how % 2 ? ANSWER_WELL : how / 2 % ANSWERS);
        return;
    case 21:
        for (int left = how % 8; left && fake_desk.count; left--)
            database_answer(ANSWER_WELL);
        return;
    case 22:
        advance_s(how % 64);
        return;
    case 23:
        advance_ms((uint64_t)how * 10);
        return;
    case 24:
    case 25:
        end_turn();
        return;
    case 26:
        broadcast(how % (USERS + 1), how);
        return;
    case 27:
        disconnect_user(how % USERS);
        return;
    case 28:
        feed_begin_anew();
        return;
    case 29:
        truncate_notes();
        return;
    case 30:
        change_limit(input);
        return;
    default:
        if (how == 255)
            drain();
    }
}

/* ---- the end ---- */

static void settle(void)
{
    for (int turn = 0, quiet = 0; turn < SETTLING_TURNS && quiet < 3; turn++) {
        feed_deliver(EVENTS_MAX);
        for (int i = 0; i < TABS; i++)
            take_bytes_again(&tabs[i]);
        end_turn();
        assert_all();
        quiet = fake_desk.count ? 0 : quiet + 1;
        while (fake_desk.count)
            database_answer(ANSWER_WELL);
        end_turn();
        assert_all();
    }
}

static void assert_converged(const struct tab *tab)
{
    if (!tab->open || !tab->connected || tab->closed)
        return;
    const struct session *session = tab->socket.session;
    assert(!session->outbox.head && !session->dirty && !session->replay && !tab->awaits_page);
    for (int note = 0; note < NOTES && !tab->lost; note++) {
        const struct note *row = &database.table.notes[tab->user][note];
        if (tab->shown[note].exists)
            assert(row->exists && row->version == tab->shown[note].version);
        else
            assert(!row->exists || row->xid < tab->since);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    fake_relay_start();
    database_start();
    memset(tabs, 0, sizeof(tabs));
    most_queue_bytes = fake_config.queue_bytes;
    most_tabs = fake_config.max_connections_per_user;
    for (int i = 0; i < TABS; i++)
        tabs[i].user = -1;
    for (int steps = 0; input.left && steps < STEPS_MAX; steps++) {
        step(&input);
        assert_all();
        keep_bounds();
    }
    settle();
    for (int i = 0; i < TABS; i++) {
        assert_converged(&tabs[i]);
        lose_socket(&tabs[i]);
    }
    fake_relay_stop();
    return 0;
}
