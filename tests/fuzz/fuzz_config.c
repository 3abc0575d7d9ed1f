/* Configuration: a file, and behind a byte 0xff the environment, its entries ended by zero bytes. What loads
 * is within its bounds and loads the same from what --print-config shows; what does not says why in one line.
 */
#include "fuzz.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "config_table.h"

enum { ENV_MAX = 16, ENV_BEGINS = 0xff };

/* A file in memory with these bytes; its path. */
static const char *write_file(int *fd, const void *bytes, size_t size)
{
    static char path[32];
    *fd = memfd_create("config", MFD_CLOEXEC);
    assert(*fd >= 0 && write(*fd, bytes, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
    return path;
}

static bool load(struct config *config, const void *bytes, size_t size, char *const envp[],
                 struct config_error *error)
{
    int fd;
    bool good = config_load(config, write_file(&fd, bytes, size), envp, error);
    close(fd);
    return good;
}

static int number_of(const struct config *config, const struct config_option *option)
{
    int value;
    memcpy(&value, (const char *)config + option->offset, sizeof(value));
    return value;
}

static void assert_bounds(const struct config *config)
{
    for (size_t i = 0; i < config_table_size; i++) {
        const struct config_option *option = &config_table[i];
        if (option->type == CONFIG_NUMBER && strcmp(option->name, "HERALD_WORKERS") != 0)
            assert(number_of(config, option) >= option->min && number_of(config, option) <= option->max);
    }
    assert(config->workers >= 1 && config->workers <= CPU_SETSIZE);
    assert(config->rate_limit.per_s >= 1 && config->rate_limit.burst >= 1);
    struct listen_address address;
    const char *why;
    assert(listen_address_parse(config->listen, &address, &why));
}

/* But for passwords, which are not shown. */
static void assert_prints_itself(const struct config *config)
{
    char *text;
    size_t size;
    struct config again;
    struct config_error error;
    FILE *out = open_memstream(&text, &size);
    config_print(out, config);
    fclose(out);
    assert(load(&again, text, size, NULL, &error));
    for (size_t i = 0; i < config_table_size; i++)
        assert(config_table[i].secret || config_value_equal(config, &again, &config_table[i]));
    free(text);
    config_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct config empty;
    struct config config;
    struct config_error error;
    char *envp[ENV_MAX + 1] = {0};
    const uint8_t *begins = memchr(data, ENV_BEGINS, size);
    size_t file_size = begins ? (size_t)(begins - data) : size;
    char *environment = zero_terminated(data + file_size, size - file_size);
    char *at = environment + (begins != NULL), *end = environment + size - file_size;
    for (int i = 0; i < ENV_MAX && at < end; i++) {
        envp[i] = at;
        at += strlen(at) + 1;
    }
    memset(&config, 0x5a, sizeof(config));
    if (load(&config, data, file_size, envp, &error)) {
        assert(!*error.message);
        assert_bounds(&config);
        assert_prints_itself(&config);
        config_check_serve(&config, &error);
        config_free(&config);
    } else {
        assert(memcmp(&config, &empty, sizeof(config)) == 0);
        assert_one_line(error.message);
    }
    free(environment);
    return 0;
}
