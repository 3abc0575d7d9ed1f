/* Client messages: whatever the bytes, a command within its documented bounds or an error of the closed list.
 */
#include "fuzz.h"

#include <jansson.h>

#include "command.h"

/* What PostgreSQL will be asked to read: digits and the signs of RFC 3339, ended. */
static void assert_time(const char *time)
{
    size_t size = strnlen(time, COMMAND_TIME_SIZE);
    assert(size >= 20 && size < COMMAND_TIME_SIZE);
    assert(strspn(time, "0123456789-+:.TZ") == size);
}

/* The ref comes back as JSON text of the string that the client sent. */
static void assert_ref(const struct command *command)
{
    const json_t *sent = json_object_get(command->document, "ref");
    if (!*command->ref)
        return;
    assert(strlen(command->ref) < sizeof(command->ref));
    json_t *echoed = json_loads(command->ref, JSON_DECODE_ANY, NULL);
    assert(json_is_string(echoed) && json_equal(echoed, sent));
    assert(json_string_length(echoed) <= COMMAND_REF_MAX);
    json_decref(echoed);
}

static void assert_fields(const struct command *command)
{
    switch (command->type) {
    case COMMAND_PING:
        return;
    case COMMAND_AUTHENTICATE:
        assert(command->token && !memchr(command->token, '\0', command->token_size));
        assert(!command->cursor || strlen(command->cursor) == command->cursor_size);
        return;
    case COMMAND_RESUME:
        assert(command->cursor && strlen(command->cursor) == command->cursor_size);
        return;
    case COMMAND_GET_UNREAD:
    case COMMAND_GET_NOTIFICATIONS:
        assert(command->limit >= 1 && command->limit <= COMMAND_LIMIT_MAX);
        if (command->has_before)
            assert_time(command->before_time);
        return;
    case COMMAND_MARK_READ:
        assert(command->id_count >= 1 && command->id_count <= COMMAND_IDS_MAX);
        return;
    case COMMAND_MARK_ALL_READ:
        assert(!(command->has_until_time && command->has_until_cursor));
        if (command->has_until_time)
            assert_time(command->until_time);
        return;
    }
    abort(); /* no type of the table */
}

static void assert_error(const struct command_error *error)
{
    static const char *const codes[] = {"bad_json", "bad_message", "bad_field", "unknown_type"};
    bool known = false;
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        known = known || strcmp(error->code, codes[i]) == 0;
    assert(known);
    assert(strnlen(error->message, sizeof(error->message)) < sizeof(error->message));
    assert_one_line(error->message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct command command;
    struct command_error error;
    memset(&command, 0x5a, sizeof(command)); /* what was there must not matter */
    if (command_parse((const char *)data, size, &command, &error))
        assert_fields(&command);
    else
        assert_error(&error);
    assert_ref(&command);
    command_clear(&command);
    return 0;
}
