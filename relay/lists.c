/* Whose list is asked next; see lists.h. */
#include "lists.h"

#include <stdio.h>
#include <utlist.h>

#include "api.h"
#include "clock.h"
#include "desk.h"
#include "relay.h"

static struct api_request *next_of(const struct lists *lists)
{
    struct api_request *request, *next = NULL;
    DL_FOREACH2(lists->waiting, request, list_next) {
        if (!next || request->user->list < next->user->list)
            next = request;
    }
    return next;
}

static void stop_waiting(struct api_request *request)
{
    DL_DELETE2(request->relay->lists.waiting, request, list_prev, list_next);
    request->waits_for_list = false;
}

static void ask_next(struct relay *relay);

static void answered(struct relay *relay, uint64_t id, void *context, const struct answer *found)
{
    relay->lists.asking = false;
    api_answered(relay, id, context, found); /* which may want it again */
    ask_next(relay);
}

static void ask(const struct api_request *request)
{
    const struct api_query *asked = &request->query;
    char limit[12], id[UUID_TEXT_SIZE];
    snprintf(limit, sizeof(limit), "%d", asked->limit);
    uuid_format(&asked->before_id, id);
    desk_submit(request->relay->list_desk,
                &(struct desk_query){.statement = DESK_API_LIST,
                                     .values = {request->user_id, asked->has_unread ? (asked->unread ? "t" : "f") : NULL,
                                                desk_value(asked->category), desk_value(asked->severity), limit,
                                                asked->has_before ? asked->before_time : NULL,
                                                asked->has_before ? id : NULL},
                                     .session = request->id,
                                     .done = answered});
}

static void ask_next(struct relay *relay)
{
    struct lists *lists = &relay->lists;
    struct api_request *request = lists->asking ? NULL : next_of(lists);
    if (!request)
        return;
    stop_waiting(request);
    request->user->list = ++lists->asked;
    lists->asking = true;
    ask(request);
}

void lists_want(struct api_request *request)
{
    request->waits_for_list = true;
    DL_APPEND2(request->relay->lists.waiting, request, list_prev, list_next);
    ask_next(request->relay);
}

void lists_forget(struct api_request *request)
{
    if (request->waits_for_list)
        stop_waiting(request);
}

void lists_tick(struct relay *relay)
{
    int64_t before_us = clock_now_us() - (int64_t)DESK_PATIENCE_MS * 1000;
    struct api_request *request, *next;
    DL_FOREACH_SAFE2(relay->lists.waiting, request, next, list_next) {
        if (request->since_us > before_us)
            continue;
        stop_waiting(request);
        api_refuse(request, PROBLEM_UNAVAILABLE, "the database is busy with other lists", API_AGAIN_MS);
    }
}
