/* The relay of `pgherald dev`. Its port is tried before anything slow is
 * started: relays share ports among their workers (SO_REUSEPORT), so that a
 * second relay would otherwise quietly get half of the first one's clients. */
#include "dev_relay.h"

#include "clock.h"
#include "health.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STOP_GRACE_MS = 15000, LOG_TAIL_BYTES = 3000, PORT_WAIT_MS = 2000 };

extern char **environ;

/* ---- the port ---- */

/* Takes and gives back the port; errno tells why not. */
static bool port_bind(const struct addrinfo *place)
{
    int yes = 1;
    int fd = socket(place->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT; /* no IPv6 here: nobody can have that port either */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    bool ok = bind(fd, place->ai_addr, place->ai_addrlen) == 0;
    int reason = errno;
    close(fd);
    errno = reason;
    return ok;
}

static bool port_is_free(const struct listen_address *address, bool *taken, char error[DEV_ERROR_BYTES])
{
    struct addrinfo wish = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE},
                    *places = NULL;
    bool ok = true;
    *taken = false;
    int failed = getaddrinfo(address->host, address->port, &wish, &places);
    if (failed)
        return dev_fail(error, "cannot listen on %s: %s", address->host, gai_strerror(failed));
    for (struct addrinfo *place = places; place && ok; place = place->ai_next)
        ok = port_bind(place);
    if (!ok && errno == EADDRINUSE) {
        *taken = true;
        dev_fail(
            error,
            "port %s of %s is taken by another program: stop it, or choose one with --listen 127.0.0.1:%d",
            address->port, address->host, atoi(address->port) % 65535 + 1);
    } else if (!ok) {
        dev_fail(error, "cannot listen on %s port %s: %s", address->host, address->port, strerror(errno));
    }
    freeaddrinfo(places);
    return ok;
}

/* Waits a moment for a taken port: the relay of a dev that was killed is just leaving it. */
bool dev_relay_port_check(const struct listen_address *address, char error[DEV_ERROR_BYTES])
{
    uint64_t limit_ms = clock_now_ms() + PORT_WAIT_MS;
    bool taken = false;
    if (address->is_unix)
        return true;
    while (!port_is_free(address, &taken, error)) {
        if (!taken || clock_now_ms() >= limit_ms || !dev_pause(100))
            return false;
    }
    return true;
}

bool dev_relay_free_port(char *listen, size_t size, char error[DEV_ERROR_BYTES])
{
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof place;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&place, sizeof place) == 0 &&
              getsockname(fd, (struct sockaddr *)&place, &length) == 0;
    if (!ok)
        dev_fail(error, "no free port on 127.0.0.1: %s", strerror(errno));
    else
        snprintf(listen, size, "127.0.0.1:%d", ntohs(place.sin_port));
    if (fd >= 0)
        close(fd);
    return ok;
}

/* ---- the process ---- */

bool dev_relay_start(struct dev_relay *relay, const struct dev_user *user, char error[DEV_ERROR_BYTES])
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    relay->process.name = "the relay";
    int log = -1;
    if (relay->log[0]) {
        log = open(relay->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (log < 0)
            return dev_fail(error, "cannot write %s: %s", relay->log, strerror(errno));
    }
    char *argv[] = {(char *)"pgherald", (char *)"serve", NULL};
    struct dev_program program = {
        /* The link works where the path does not: below /root, for one. */
        .file = dev_user_can(user, self, X_OK) ? self : "/proc/self/exe",
        .argv = argv,
        .envp = environ,
        .folder = "/",
        .output = log,
        .death_signal = SIGTERM,
    };
    bool ok = dev_process_start(&relay->process, user, &program, error);
    if (log >= 0)
        close(log);
    return ok;
}

bool dev_relay_wait_ready(struct dev_relay *relay, uint64_t deadline_ms, char error[DEV_ERROR_BYTES])
{
    char end[64];
    while (!health_answers(&relay->address, HEALTH_READY, false, false)) {
        if (!dev_process_running(&relay->process)) {
            dev_process_describe(&relay->process, end, sizeof end);
            return dev_fail(error, "the relay %s; its own messages say why", end);
        }
        if (clock_now_ms() >= deadline_ms)
            return dev_fail(error, "the relay did not become ready in time; its own messages may say why");
        if (!dev_pause(20))
            return dev_fail(error, "stopped");
    }
    return true;
}

void dev_relay_stop(struct dev_relay *relay)
{
    dev_process_stop(&relay->process, SIGTERM, STOP_GRACE_MS);
}

void dev_relay_print_log(const struct dev_relay *relay, FILE *out)
{
    char tail[LOG_TAIL_BYTES + 1], *line = tail, *rest = NULL;
    int log = relay->log[0] ? open(relay->log, O_RDONLY | O_CLOEXEC) : -1;
    if (log < 0)
        return;
    off_t size = lseek(log, 0, SEEK_END), skipped = size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0;
    ssize_t length = pread(log, tail, LOG_TAIL_BYTES, skipped);
    close(log);
    tail[length > 0 ? length : 0] = '\0';
    if (skipped > 0)
        line += strcspn(line, "\n"); /* the rest of a line that began earlier */
    fprintf(out, "the relay's last messages:\n");
    for (line = strtok_r(line, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        fprintf(out, "  %s\n", line);
}
