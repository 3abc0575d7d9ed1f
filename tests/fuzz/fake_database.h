/* A database of two users with four notifications each, for the session script: what is committed, what the
 * feed has still to tell of it, and what a statement sees, which is what there was when it ran. */
#ifndef PGHERALD_FUZZ_FAKE_DATABASE_H
#define PGHERALD_FUZZ_FAKE_DATABASE_H

#include "fake_relay.h"

enum { USERS = 2, NOTES = 4, EVENTS_MAX = 256, TEXT_SIZE = 200, XID_START = 731 };

static const char *const user_names[USERS] = {"alice", "bob"};

/* One row; what is gone keeps its version, so that it goes on from there when it comes back. */
struct note {
    bool exists;
    int version;
    uint64_t xid;         /* of its last change */
    uint64_t created_xid; /* since when it exists */
};

struct fake_table {
    struct note notes[USERS][NOTES];
    uint64_t truncated_xid; /* 0: never */
};

/* A committed change that the feed has not told. */
struct event {
    enum change_kind kind;
    int user, note;
    struct note state;
};

static struct {
    struct fake_table table;
    uint64_t next_xid;
    uint32_t epoch;
    struct event events[EVENTS_MAX]; /* oldest first */
    int event_count;
    struct fake_table seen[FAKE_QUERIES]; /* by each query at the desk, in its order */
    int seen_count;
} database;

static inline void database_start(void)
{
    memset(&database, 0, sizeof(database));
    database.next_xid = XID_START;
    database.epoch = 0xdeadbeef;
}

/* ---- texts ---- */

static inline void note_id(int user, int note, char out[UUID_TEXT_SIZE])
{
    snprintf(out, UUID_TEXT_SIZE, "0000000%d-0000-0000-0000-00000000000%d", user % 10, note % 10);
}

static inline bool note_find(const char *id, int *user, int *note)
{
    char text[UUID_TEXT_SIZE];
    for (*user = 0; *user < USERS; ++*user) {
        for (*note = 0; *note < NOTES; ++*note) {
            note_id(*user, *note, text);
            if (strcmp(text, id) == 0)
                return true;
        }
    }
    return false;
}

static inline int user_find(const char *name)
{
    for (int user = 0; user < USERS; user++) {
        if (strcmp(user_names[user], name) == 0)
            return user;
    }
    return -1;
}

/* by: who told it. */
static inline void note_text(int user, int note, int version, const char *by, char out[TEXT_SIZE])
{
    char id[UUID_TEXT_SIZE];
    note_id(user, note, id);
    snprintf(out, TEXT_SIZE, "{\"id\":\"%s\",\"owner\":\"%s\",\"version\":%d,\"by\":\"%s\"}", id,
             user_names[user], version, by);
}

/* The n-th element of an array literal whose elements need no escapes; false: it has fewer. */
static inline bool array_element(const char *array, int n, char out[TEXT_SIZE])
{
    const char *at = array + 1;
    for (; *at == '"'; n--) {
        size_t size = strcspn(++at, "\"");
        if (n == 0) {
            assert(size < TEXT_SIZE);
            memcpy(out, at, size);
            out[size] = '\0';
            return true;
        }
        at += size + 1;
        at += *at == ',';
    }
    return false;
}

/* ---- writers ---- */

static inline void commit(enum change_kind kind, int user, int note)
{
    struct note *row = &database.table.notes[user][note];
    assert(database.event_count < EVENTS_MAX);
    if (kind == CHANGE_NEW)
        row->created_xid = database.next_xid;
    row->exists = kind != CHANGE_DELETED;
    row->version += kind != CHANGE_DELETED;
    row->xid = database.next_xid++;
    database.events[database.event_count++] = (struct event){kind, user, note, *row};
}

/* Inserts what is not there; otherwise changes it, or deletes it. */
static inline void write_note(int user, int note, bool deletes)
{
    if (!database.table.notes[user][note].exists)
        commit(CHANGE_NEW, user, note);
    else
        commit(deletes ? CHANGE_DELETED : CHANGE_UPDATED, user, note);
}

static inline void truncate_notes(void)
{
    for (int user = 0; user < USERS; user++) {
        for (int note = 0; note < NOTES; note++)
            database.table.notes[user][note].exists = false;
    }
    database.table.truncated_xid = database.next_xid++;
    database.events[database.event_count++] =
        (struct event){.kind = CHANGE_TRUNCATED, .state.xid = database.table.truncated_xid};
}

/* ---- the feed ---- */

static inline void feed_cursor(char out[CURSOR_TEXT_SIZE])
{
    uint64_t xmin = database.event_count ? database.events[0].state.xid : database.next_xid;
    cursor_format((struct cursor){database.epoch, xmin}, out);
}

static inline void feed_window(void)
{
    char cursor[CURSOR_TEXT_SIZE];
    struct change_sink sink = relay_sink(&fake_relay);
    feed_cursor(cursor);
    sink.window(sink.owner, cursor);
}

static inline void feed_tell(const struct event *event)
{
    char id[UUID_TEXT_SIZE], body[TEXT_SIZE];
    struct change_sink sink = relay_sink(&fake_relay);
    struct change change = {.kind = event->kind, .cursor = fake_relay.router.cursor};
    if (event->kind != CHANGE_TRUNCATED) {
        note_id(event->user, event->note, id);
        note_text(event->user, event->note, event->state.version, "feed", body);
        assert(uuid_parse(id, strlen(id), &change.id));
        change.user = text_of(user_names[event->user]);
        change.body = text_of(body);
        change.version = event->kind == CHANGE_DELETED ? 0 : event->state.version;
    }
    sink.change(sink.owner, &change);
}

/* One window with so many of the changes that wait, or all there are. */
static inline void feed_deliver(int count)
{
    for (; count > 0 && database.event_count; count--) {
        struct event event = database.events[0];
        database.event_count--;
        memmove(database.events, database.events + 1, (size_t)database.event_count * sizeof(event));
        feed_tell(&event);
    }
    feed_window();
}

/* A failover: nobody knows what was missed. */
static inline void feed_begin_anew(void)
{
    char cursor[CURSOR_TEXT_SIZE];
    struct change_sink sink = relay_sink(&fake_relay);
    database.event_count = 0;
    database.epoch++;
    feed_cursor(cursor);
    sink.resync(sink.owner, cursor);
}

/* ---- statements ---- */

static inline void run_mark_read(const struct desk_query *query)
{
    char name[TEXT_SIZE], id[TEXT_SIZE];
    bool marked[USERS][NOTES] = {0};
    int user, note;
    for (int i = 0; array_element(query->values[0], i, name) && array_element(query->values[1], i, id); i++) {
        if (!note_find(id, &user, &note) || user != user_find(name) || marked[user][note] ||
            !database.table.notes[user][note].exists)
            continue;
        marked[user][note] = true;
        commit(CHANGE_UPDATED, user, note);
    }
}

static inline void run_mark_all(const struct desk_query *query)
{
    int user = user_find(query->values[0]);
    for (int note = 0; note < NOTES; note++) {
        if (database.table.notes[user][note].exists)
            commit(CHANGE_UPDATED, user, note);
    }
}

/* Every query that came to the desk since the last call runs now; its answer may come much later. */
static inline void run_statements(void)
{
    for (; database.seen_count < fake_desk.count; database.seen_count++) {
        const struct desk_query *query = &fake_desk.queries[database.seen_count];
        if (query->statement == DESK_MARK_READ)
            run_mark_read(query);
        else if (query->statement == DESK_MARK_ALL_READ)
            run_mark_all(query);
        database.seen[database.seen_count] = database.table;
    }
}

/* ---- answers ---- */

/* An answer whose cells live as long as it does. */
struct full_answer {
    struct answer answer;
    char texts[FAKE_ROWS * 3][USERS * NOTES * TEXT_SIZE];
    int text_count;
};

static inline char *new_text(struct full_answer *full)
{
    assert(full->text_count < FAKE_ROWS * 3);
    return full->texts[full->text_count++];
}

static inline const char *number_text(struct full_answer *full, uint64_t number)
{
    char *text = new_text(full);
    snprintf(text, TEXT_SIZE, "%llu", (unsigned long long)number);
    return text;
}

static inline const char **new_row(struct full_answer *full)
{
    assert(full->answer.rows < FAKE_ROWS);
    return full->answer.cells[full->answer.rows++];
}

static inline int count_notes(const struct fake_table *seen, int user)
{
    int count = 0;
    for (int note = 0; note < NOTES; note++)
        count += seen->notes[user][note].exists;
    return count;
}

static inline void answer_resolve(struct full_answer *full, const struct desk_query *query)
{
    const char *claims = query->values[0] + 1; /* elements begin with "{ and end with }" */
    while (*claims == '"') {
        const char **row = new_row(full);
        const char *end = strstr(claims, "}\"");
        assert(end);
        for (int user = 0; user < USERS; user++) {
            if (memmem(claims, (size_t)(end - claims), user_names[user], strlen(user_names[user])))
                row[0] = user_names[user];
        }
        claims = end + 2;
        claims += *claims == ',';
    }
}

static inline void answer_counts(struct full_answer *full, const struct desk_query *query,
                                 const struct fake_table *seen)
{
    char name[TEXT_SIZE];
    for (int i = 0; array_element(query->values[0], i, name); i++) {
        const char **row = new_row(full);
        int user = user_find(name);
        row[0] = user_names[user];
        row[1] = number_text(full, (uint64_t)count_notes(seen, user));
    }
}

static inline void answer_one_page(struct full_answer *full, int user, const struct fake_table *seen)
{
    const char **row = new_row(full);
    char *list = new_text(full), *at = list;
    *at++ = '[';
    for (int note = 0; note < NOTES; note++) {
        if (!seen->notes[user][note].exists)
            continue;
        if (at > list + 1)
            *at++ = ',';
        note_text(user, note, seen->notes[user][note].version, "page", at);
        at += strlen(at);
    }
    memcpy(at, "]", 2);
    row[0] = number_text(full, (uint64_t)count_notes(seen, user));
    row[1] = list;
}

static inline void answer_pages(struct full_answer *full, const struct desk_query *query, const struct fake_table *seen,
                                bool in_pieces)
{
    char name[TEXT_SIZE];
    for (int i = 0; i < FAKE_ROWS && !(in_pieces && i) && array_element(query->values[0], i, name); i++)
        answer_one_page(full, user_find(name), seen);
}

static inline void answer_mark_read(struct full_answer *full, const struct desk_query *query,
                                    const struct fake_table *seen)
{
    char name[TEXT_SIZE], id[TEXT_SIZE];
    bool marked[USERS][NOTES] = {0};
    int user, note;
    for (int i = 0; array_element(query->values[0], i, name) && array_element(query->values[1], i, id); i++) {
        if (!note_find(id, &user, &note) || user != user_find(name) || marked[user][note] ||
            !seen->notes[user][note].exists)
            continue;
        marked[user][note] = true;
        const char **row = new_row(full);
        int version = seen->notes[user][note].version;
        char *id_text = new_text(full), *body = new_text(full);
        note_id(user, note, id_text);
        note_text(user, note, version, "mark", body);
        row[0] = user_names[user];
        row[1] = id_text;
        row[2] = number_text(full, (uint64_t)version);
        row[3] = body;
    }
}

/* Whether the n-th asker of a catch-up has still to be told of this row. */
static inline bool is_missed(const struct desk_query *query, int n, int user, int note,
                             const struct note *row)
{
    char id[UUID_TEXT_SIZE], since[TEXT_SIZE], after_xid[TEXT_SIZE], after_id[TEXT_SIZE];
    if (!array_element(query->values[1], n, since) || !array_element(query->values[2], n, after_xid) ||
        !array_element(query->values[4], n, after_id))
        abort();
    uint64_t after = strtoull(after_xid, NULL, 10);
    note_id(user, note, id);
    return row->version && row->xid >= strtoull(since, NULL, 10) &&
           (row->xid > after || (row->xid == after && strcmp(id, after_id) > 0));
}

/* The row of that user with the smallest place that was not told, or none. */
static inline bool next_missed(const struct desk_query *query, int n, int user, const struct fake_table *seen,
                               const bool told[NOTES], int *note)
{
    *note = -1;
    for (int i = 0; i < NOTES; i++) {
        const struct note *row = &seen->notes[user][i];
        if (!told[i] && is_missed(query, n, user, i, row) &&
            (*note < 0 || row->xid < seen->notes[user][*note].xid))
            *note = i;
    }
    return *note >= 0;
}

static inline void answer_one_resume(struct full_answer *full, const struct desk_query *query, int n,
                                     int user, const struct fake_table *seen, bool in_pieces)
{
    char since[TEXT_SIZE];
    bool told[NOTES] = {0}, more = true;
    int note, count = 0;
    const char *number = number_text(full, (uint64_t)n + 1);
    array_element(query->values[1], n, since);
    if (strtoull(since, NULL, 10) <= seen->truncated_xid) {
        const char **row = new_row(full);
        row[0] = number;
        row[1] = "r";
        return;
    }
    while ((more = next_missed(query, n, user, seen, told, &note)) && !(in_pieces && count)) {
        const struct note *state = &seen->notes[user][note];
        const char **row = new_row(full);
        char *id = new_text(full), *body = new_text(full);
        bool is_new = state->created_xid >= strtoull(since, NULL, 10);
        note_id(user, note, id);
        note_text(user, note, state->version, "resume", body);
        row[0] = number;
        row[1] = !state->exists ? "d" : is_new ? "n" : "u";
        row[2] = id;
        row[4] = state->exists ? body : NULL;
        row[5] = number_text(full, state->xid);
        row[6] = "0";
        told[note] = true;
        count++;
    }
    const char **row = new_row(full);
    row[0] = number;
    row[1] = more ? "m" : "e";
}

static inline void answer_resume(struct full_answer *full, const struct desk_query *query,
                                 const struct fake_table *seen, bool in_pieces)
{
    char name[TEXT_SIZE];
    for (int n = 0; array_element(query->values[0], n, name); n++)
        answer_one_resume(full, query, n, user_find(name), seen, in_pieces);
}

static inline void answer_well(const struct desk_query *query, const struct fake_table *seen, bool in_pieces)
{
    static struct full_answer full;
    full.text_count = 0;
    full.answer = (struct answer){0};
    switch (query->statement) {
    case DESK_RESOLVE_USERS:
        answer_resolve(&full, query);
        break;
    case DESK_UNREAD_COUNTS:
        answer_counts(&full, query, seen);
        break;
    case DESK_PAGES:
        answer_pages(&full, query, seen, in_pieces);
        break;
    case DESK_MARK_READ:
        answer_mark_read(&full, query, seen);
        break;
    case DESK_MARK_ALL_READ:
        new_row(&full)[0] = "1";
        break;
    case DESK_RESUME:
        answer_resume(&full, query, seen, in_pieces);
        break;
    default:
        abort();
    }
    answer_next(&full.answer);
}

enum {
    ANSWER_WELL,
    ANSWER_IN_PIECES,
    ANSWER_NEVER,
    ANSWER_BAD_VALUE,
    ANSWER_DEADLOCK,
    ANSWER_NOTHING,
    ANSWERS
};

/* The oldest query is answered. */
static inline void database_answer(int how)
{
    if (!fake_desk.count)
        return;
    run_statements();
    struct fake_table seen = database.seen[0];
    database.seen_count--;
    memmove(database.seen, database.seen + 1, (size_t)database.seen_count * sizeof(seen));
    bool has_an_end = fake_desk.queries[0].statement == DESK_RESUME; /* that answer is never empty */
    switch (how) {
    case ANSWER_NEVER:
        answer_next(NULL);
        return;
    case ANSWER_BAD_VALUE:
        answer_next(&(struct answer){.error = "22008"});
        return;
    case ANSWER_DEADLOCK:
        answer_next(&(struct answer){.error = "40P01"});
        return;
    case ANSWER_NOTHING:
        if (!has_an_end) {
            answer_next(&(struct answer){0});
            return;
        }
    }
    answer_well(&fake_desk.queries[0], &seen, how == ANSWER_IN_PIECES);
}

#endif
