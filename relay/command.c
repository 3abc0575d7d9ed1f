/* Client frames: JSON text in, a checked struct command out. Pure. */
#include "command.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "frame.h"

#define CODE_BAD_JSON "bad_json"
#define CODE_BAD_MESSAGE "bad_message"
#define CODE_BAD_FIELD "bad_field"
#define CODE_UNKNOWN_TYPE "unknown_type"

static bool __attribute__((format(printf, 3, 4))) refuse(struct command_error *error, const char *code,
                                                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    error->code = code;
    return false;
}

bool command_time_parse(const char *text, size_t size, char out[COMMAND_TIME_SIZE])
{
    if (size >= COMMAND_TIME_SIZE)
        return false;
    char copy[COMMAND_TIME_SIZE];
    memcpy(copy, text, size);
    copy[size] = '\0';

    struct tm parts;
    if (size < 20 || strspn(copy, "0123456789") != 4)
        return false;
    const char *rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &parts);
    /* strptime() also takes blanks, fields of one digit and a 61st second. */
    if (!rest || rest - copy != 19 || strchr(copy, ' ') || parts.tm_sec > 60)
        return false;
    if (*rest == '.') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (digits < 1 || digits > 9)
            return false;
        rest += 1 + digits;
    }
    bool utc = strcmp(rest, "Z") == 0;
    bool offset = (*rest == '+' || *rest == '-') && strlen(rest) == 6 && rest[3] == ':' &&
                  strspn(rest + 1, "0123456789") == 2 && strspn(rest + 4, "0123456789") == 2;
    if (!utc && !offset)
        return false;
    memcpy(out, copy, size + 1);
    return true;
}

bool command_before_parse(const char *text, size_t size, char before_time[COMMAND_TIME_SIZE], struct uuid *before_id)
{
    const char *divider = memchr(text, '_', size);
    if (!divider)
        return false;
    size_t time_size = (size_t)(divider - text);
    return command_time_parse(text, time_size, before_time) && uuid_parse(divider + 1, size - time_size - 1, before_id);
}

static bool read_ref(const json_t *document, struct command *out, struct command_error *error)
{
    const json_t *ref = json_object_get(document, "ref");
    if (!ref)
        return true;
    if (!json_is_string(ref) || json_string_length(ref) > COMMAND_REF_MAX)
        return refuse(error, CODE_BAD_FIELD, "ref must be a string of at most %d bytes", COMMAND_REF_MAX);
    size_t size = json_dumpb(ref, out->ref, sizeof(out->ref) - 1, JSON_ENCODE_ANY);
    out->ref[size] = '\0';
    return true;
}

/* A cursor that is none of ours gets a resync, not an error. */
static bool read_cursor(const json_t *document, bool required, struct command *out, struct command_error *error)
{
    const json_t *cursor = json_object_get(document, "cursor");
    if (!required && (!cursor || json_is_null(cursor)))
        return true;
    if (!json_is_string(cursor))
        return refuse(error, CODE_BAD_FIELD, "cursor must be a string");
    out->cursor = json_string_value(cursor);
    out->cursor_size = json_string_length(cursor);
    return true;
}

static bool read_resume(const json_t *document, struct command *out, struct command_error *error)
{
    return read_cursor(document, true, out, error);
}

static bool read_authenticate(const json_t *document, struct command *out, struct command_error *error)
{
    const json_t *token = json_object_get(document, "token");
    if (!json_is_string(token))
        return refuse(error, CODE_BAD_FIELD, "authenticate needs token, a string");
    out->token = json_string_value(token);
    out->token_size = json_string_length(token);
    return read_cursor(document, false, out, error);
}

static bool read_page(const json_t *document, struct command *out, struct command_error *error)
{
    out->limit = COMMAND_LIMIT_DEFAULT;
    const json_t *limit = json_object_get(document, "limit");
    if (limit) {
        if (!json_is_integer(limit) || json_integer_value(limit) < 1 ||
            json_integer_value(limit) > COMMAND_LIMIT_MAX)
            return refuse(error, CODE_BAD_FIELD, "limit must be a whole number from 1 to %d",
                          COMMAND_LIMIT_MAX);
        out->limit = (int)json_integer_value(limit);
    }
    const json_t *before = json_object_get(document, "before");
    if (!before || json_is_null(before))
        return true;
    if (!json_is_string(before) ||
        !command_before_parse(json_string_value(before), json_string_length(before), out->before_time, &out->before_id))
        return refuse(error, CODE_BAD_FIELD, "before must be the `next` of an earlier page");
    out->has_before = true;
    return true;
}

static bool read_id(const json_t *value, struct command *out)
{
    if (!json_is_string(value) || !uuid_parse(json_string_value(value), json_string_length(value),
                                              &out->ids[out->id_count]))
        return false;
    out->id_count++;
    return true;
}

static bool read_mark_read(const json_t *document, struct command *out, struct command_error *error)
{
    const json_t *one = json_object_get(document, "notification_id");
    const json_t *many = json_object_get(document, "notification_ids");
    if (!one == !many)
        return refuse(error, CODE_BAD_FIELD, "mark_read needs either notification_id or notification_ids");
    if (one)
        return read_id(one, out) || refuse(error, CODE_BAD_FIELD, "notification_id must be a UUID");

    size_t count = json_array_size(many);
    if (!json_is_array(many) || count < 1 || count > COMMAND_IDS_MAX)
        return refuse(error, CODE_BAD_FIELD, "notification_ids must be an array of 1 to %d UUIDs",
                      COMMAND_IDS_MAX);
    for (size_t i = 0; i < count; i++)
        if (!read_id(json_array_get(many, i), out))
            return refuse(error, CODE_BAD_FIELD, "notification_ids[%zu] must be a UUID", i);
    return true;
}

static bool read_mark_all_read(const json_t *document, struct command *out, struct command_error *error)
{
    const json_t *until = json_object_get(document, "until");
    if (!until || json_is_null(until))
        return true;
    if (json_is_string(until)) {
        const char *text = json_string_value(until);
        size_t size = json_string_length(until);
        out->has_until_cursor = cursor_parse(text, size, &out->until_cursor);
        out->has_until_time = !out->has_until_cursor && command_time_parse(text, size, out->until_time);
    }
    if (!out->has_until_cursor && !out->has_until_time)
        return refuse(error, CODE_BAD_FIELD, "until must be a cursor or an RFC 3339 time");
    return true;
}

static bool read_nothing(const json_t *document, struct command *out, struct command_error *error)
{
    (void)document, (void)out, (void)error;
    return true;
}

static const struct {
    const char *name;
    enum command_type type;
    bool (*read)(const json_t *document, struct command *out, struct command_error *error);
} command_table[] = {
    {"ping", COMMAND_PING, read_nothing},
    {"authenticate", COMMAND_AUTHENTICATE, read_authenticate},
    {"resume", COMMAND_RESUME, read_resume},
    {"get_unread", COMMAND_GET_UNREAD, read_page},
    {"get_notifications", COMMAND_GET_NOTIFICATIONS, read_page},
    {"mark_read", COMMAND_MARK_READ, read_mark_read},
    {"mark_all_read", COMMAND_MARK_ALL_READ, read_mark_all_read},
};

const char *command_word(int type)
{
    for (size_t i = 0; i < sizeof(command_table) / sizeof(*command_table); i++)
        if ((int)command_table[i].type == type)
            return command_table[i].name;
    return "invalid";
}

static bool read_command(const json_t *document, struct command *out, struct command_error *error)
{
    if (!json_is_object(document))
        return refuse(error, CODE_BAD_MESSAGE, "a message must be a JSON object");
    if (!read_ref(document, out, error))
        return false;
    const json_t *type = json_object_get(document, "type");
    if (!json_is_string(type))
        return refuse(error, CODE_BAD_MESSAGE, "a message must have a type, a string");
    for (size_t i = 0; i < sizeof(command_table) / sizeof(*command_table); i++) {
        if (strcmp(json_string_value(type), command_table[i].name) != 0)
            continue;
        out->type = command_table[i].type;
        return command_table[i].read(document, out, error);
    }
    return refuse(error, CODE_UNKNOWN_TYPE, "this type of message is not known");
}

/* ---- tokens ---- */

#define LOGIN_HEAD "{\"type\":\"authenticate\",\"token\":\""

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

/* The token of a login as clients write it; none, when it is written otherwise. */
static struct text find_token(const char *bytes, size_t size)
{
    static const size_t head = sizeof(LOGIN_HEAD) - 1;
    size_t end = head;
    if (size <= head || memcmp(bytes, LOGIN_HEAD, head) != 0)
        return (struct text){0};
    while (end < size && is_plain(bytes[end]))
        end++;
    return end < size && bytes[end] == '"' ? (struct text){bytes + head, end - head} : (struct text){0};
}

/* A message without the token in its middle. */
struct rest {
    struct text before, behind;
};

static size_t give_rest(void *buffer, size_t size, void *data)
{
    struct rest *rest = data;
    struct text *part = rest->before.size ? &rest->before : &rest->behind;
    size_t given = part->size < size ? part->size : size;
    memcpy(buffer, part->bytes, given);
    *part = (struct text){part->bytes + given, part->size - given};
    return given;
}

/* Most bytes of a login are its token's, of letters that JSON need not decode: jansson would take longer for them
 * than the signature does. It reads "" in their place. */
static json_t *read_document(const char *bytes, size_t size, struct text token)
{
    if (!token.size)
        return json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
    const char *behind = token.bytes + token.size;
    struct rest rest = {{bytes, (size_t)(token.bytes - bytes)}, {behind, (size_t)(bytes + size - behind)}};
    return json_load_callback(give_rest, &rest, JSON_REJECT_DUPLICATES, NULL);
}

bool command_parse(const char *bytes, size_t size, struct command *out, struct command_error *error)
{
    memset(out, 0, offsetof(struct command, ids));
    out->id_count = 0;
    out->has_until_time = out->has_until_cursor = false;
    struct text token = find_token(bytes, size);
    json_t *document = read_document(bytes, size, token);
    out->document = document;
    if (!document)
        return refuse(error, CODE_BAD_JSON, "a message must be one JSON object without repeated names");
    if (!read_command(document, out, error))
        return false;
    if (token.size) {
        out->token = token.bytes;
        out->token_size = token.size;
    }
    return true;
}

void command_clear(struct command *command)
{
    json_decref(command->document);
    command->document = NULL;
    command->token = NULL;
}
