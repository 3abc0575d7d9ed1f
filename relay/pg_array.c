/* Array literals; see pg_array.h. Pure but for memory. */
#include "pg_array.h"

#include <stdlib.h>

#include "memory.h"

static void add_byte(struct pg_array *array, char byte)
{
    if (array->size == array->room) {
        array->room = array->room ? array->room * 2 : 256;
        array->text = memory_resize(array->text, array->room);
    }
    array->text[array->size++] = byte;
}

void pg_array_add(struct pg_array *array, struct text element)
{
    add_byte(array, array->size ? ',' : '{');
    add_byte(array, '"');
    for (size_t i = 0; i < element.size; i++) {
        if (element.bytes[i] == '"' || element.bytes[i] == '\\')
            add_byte(array, '\\');
        add_byte(array, element.bytes[i]);
    }
    add_byte(array, '"');
}

const char *pg_array_end(struct pg_array *array)
{
    if (!array->size)
        add_byte(array, '{');
    add_byte(array, '}');
    add_byte(array, '\0');
    return array->text;
}

void pg_array_free(struct pg_array *array)
{
    free(array->text);
    *array = (struct pg_array){0};
}
