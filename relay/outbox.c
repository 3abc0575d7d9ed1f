/* Queues of frames over one pool of nodes; see outbox.h. Pure but for memory. */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { BLOCK_NODES = 1024 };

struct outbox_block {
    struct outbox_block *next;
    struct outbox_node nodes[BLOCK_NODES];
};

static void pool_grow(struct outbox_pool *pool)
{
    struct outbox_block *block = memory_new(sizeof(*block));
    block->next = pool->blocks;
    pool->blocks = block;
    for (size_t i = 0; i < BLOCK_NODES; i++) {
        block->nodes[i].next = pool->spare;
        pool->spare = &block->nodes[i];
    }
}

void outbox_pool_free(struct outbox_pool *pool)
{
    while (pool->blocks) {
        struct outbox_block *block = pool->blocks;
        pool->blocks = block->next;
        free(block);
    }
    pool->spare = NULL;
}

static struct outbox_node *node_new(struct outbox_pool *pool, struct frame *frame)
{
    if (!pool->spare)
        pool_grow(pool);
    struct outbox_node *node = pool->spare;
    pool->spare = node->next;
    node->frame = frame;
    node->next = NULL;
    return node;
}

void outbox_push(struct outbox *outbox, struct outbox_pool *pool, struct frame *frame)
{
    struct outbox_node *node = node_new(pool, frame);
    if (outbox->tail)
        outbox->tail->next = node;
    else
        outbox->head = node;
    outbox->tail = node;
    outbox->bytes += frame->size;
    pool->bytes += frame->size;
}

struct frame *outbox_take(struct outbox *outbox, struct outbox_pool *pool)
{
    struct outbox_node *node = outbox->head;
    if (!node)
        return NULL;
    struct frame *frame = node->frame;
    outbox->head = node->next;
    if (!outbox->head)
        outbox->tail = NULL;
    outbox->bytes -= frame->size;
    pool->bytes -= frame->size;
    node->next = pool->spare;
    pool->spare = node;
    return frame;
}

void outbox_clear(struct outbox *outbox, struct outbox_pool *pool)
{
    struct frame *frame;
    while ((frame = outbox_take(outbox, pool)))
        frame_drop(frame);
}

void outbox_drop_passing(struct outbox *outbox, struct outbox_pool *pool)
{
    struct outbox all = *outbox;
    struct frame *frame;
    *outbox = (struct outbox){0};
    while ((frame = outbox_take(&all, pool))) {
        if (frame->passing)
            frame_drop(frame);
        else
            outbox_push(outbox, pool, frame);
    }
}

size_t outbox_gather(struct outbox *outbox, struct outbox_pool *pool, uint8_t *buffer, size_t size,
                     struct deliveries *sent)
{
    size_t used = 0;
    while (outbox->head && outbox->head->frame->size <= size - used) {
        struct frame *frame = outbox_take(outbox, pool);
        memcpy(buffer + used, frame->bytes, frame->size);
        used += frame->size;
        deliveries_count(sent, frame);
        frame_drop(frame);
    }
    return used;
}
