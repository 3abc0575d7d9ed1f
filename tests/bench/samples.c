#include "samples.h"

#include <stdio.h>
#include <stdlib.h>

#include "fail.h"
#include "figure.h"

void samples_add(struct samples *samples, uint64_t us)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 1024;
        uint32_t *grown = realloc(samples->us, samples->room * sizeof(*grown));
        if (!grown)
            fail("samples", "no memory");
        samples->us = grown;
    }
    samples->us[samples->count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void samples_clear(struct samples *samples)
{
    samples->count = 0;
}

static int compare(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static void print(const struct samples *samples, const char *name, const char *which, size_t at)
{
    char full[64];
    snprintf(full, sizeof(full), "%s_%s_ms", name, which);
    figure_number(full, samples->us[at] / 1e3, 3);
}

void samples_print(struct samples *samples, const char *name)
{
    size_t count = samples->count;
    if (!count)
        return;
    qsort(samples->us, count, sizeof(*samples->us), compare);
    print(samples, name, "p50", count / 2);
    print(samples, name, "p90", count * 9 / 10);
    print(samples, name, "p99", count * 99 / 100);
    print(samples, name, "max", count - 1);
}

void samples_free(struct samples *samples)
{
    free(samples->us);
    *samples = (struct samples){0};
}
