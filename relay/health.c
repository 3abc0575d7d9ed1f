/* Connects, asks, reads; see health.h. */
#include "health.h"

#include <netdb.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAIT_S = 2, READS_MAX = 8, REQUEST_SIZE = 128, ANSWER_SIZE = 2048 };

static const char header[] = "PROXY UNKNOWN\r\n";

/* Another program would hardly give this answer; the admin port says OK. */
static const struct {
    const char *path, *yes;
} questions[] = {
    [HEALTH_ALIVE] = {"/healthz", "ok"},
    [HEALTH_READY] = {"/readyz", "{\"ready\":true}"},
};

/* -1: nobody takes the connection. */
static int connect_to(int family, const struct sockaddr *name, socklen_t size)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)); /* of connect(), too */
    if (connect(fd, name, size) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Every address of the machine, as 0.0.0.0, is reached as its loopback. */
static int connect_port(const struct listen_address *address)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *info;
    if (getaddrinfo(address->host, address->port, &hints, &info) != 0)
        return -1;
    int fd = connect_to(info->ai_family, info->ai_addr, info->ai_addrlen);
    freeaddrinfo(info);
    return fd;
}

static int connect_unix(const struct listen_address *address)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(address->host) >= sizeof(name.sun_path))
        return -1;
    memcpy(name.sun_path, address->host, strlen(address->host) + 1);
    return connect_to(AF_UNIX, (const struct sockaddr *)&name, sizeof(name));
}

/* Reads what is there; ssl may be NULL. 0 or less: nothing more comes. */
static int read_some(SSL *ssl, int fd, char *room, size_t size)
{
    return ssl ? SSL_read(ssl, room, (int)size) : (int)recv(fd, room, size, 0);
}

static bool ask(SSL *ssl, int fd, enum health_question question)
{
    char request[REQUEST_SIZE], answer[ANSWER_SIZE];
    const char *yes = questions[question].yes;
    size_t size = 0;
    int length = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                          questions[question].path);
    if ((ssl ? SSL_write(ssl, request, length) : (int)send(fd, request, (size_t)length, 0)) != length)
        return false;
    for (int i = 0; i < READS_MAX && size < sizeof(answer) - 1; i++) {
        int more = read_some(ssl, fd, answer + size, sizeof(answer) - 1 - size);
        if (more <= 0)
            break;
        size += (size_t)more;
    }
    answer[size] = '\0';
    const char *body = strstr(answer, "\r\n\r\n");
    return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && body && strncasecmp(body + 4, yes, strlen(yes)) == 0;
}

static bool ask_with_tls(int fd, enum health_question question)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = context ? SSL_new(context) : NULL;
    bool good = ssl && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1 && ask(ssl, fd, question);
    SSL_free(ssl);
    SSL_CTX_free(context);
    return good;
}

bool health_answers(const struct listen_address *address, enum health_question question, bool tls, bool proxy_header)
{
    int fd = address->is_unix ? connect_unix(address) : connect_port(address);
    if (fd < 0)
        return false;
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* it may hang up at any time, and OpenSSL writes */
    size_t first = proxy_header ? strlen(header) : 0;
    bool good = send(fd, header, first, 0) == (ssize_t)first &&
                (tls ? ask_with_tls(fd, question) : ask(NULL, fd, question));
    signal(SIGPIPE, before);
    close(fd);
    return good;
}
