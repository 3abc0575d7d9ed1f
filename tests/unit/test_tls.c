/* What is sent over TLS to a peer that does not read, or is gone: how much was taken is known, the rest follows. */
#include "tls.h"

#include <check.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run_suite.h"

enum { SIZE = 1000 * 1000 };

static SSL_CTX *server_context, *client_context;
static SSL *server, *client;
static int ends[2];
static uint8_t *bytes, *got;
static size_t got_size;

/* A certificate that nobody has to believe. */
static void certify(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
    ck_assert_int_eq(SSL_CTX_use_certificate(context, cert), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static SSL *end_new(SSL_CTX *context, int fd)
{
    SSL *ssl = SSL_new(context);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    SSL_set_fd(ssl, fd);
    return ssl;
}

static void set_up(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    server_context = SSL_CTX_new(TLS_server_method());
    client_context = SSL_CTX_new(TLS_client_method());
    ck_assert(tls_harden(server_context));
    certify(server_context);
    server = end_new(server_context, ends[0]);
    client = end_new(client_context, ends[1]);
    for (int turn = 0; turn < 10; turn++) {
        SSL_connect(client);
        SSL_accept(server);
    }
    ck_assert(SSL_is_init_finished(server) && SSL_is_init_finished(client));
    tls_start_sending(server);
    bytes = malloc(SIZE);
    got = malloc(SIZE);
    got_size = 0;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 2654435761U >> 13);
}

static void tear_down(void)
{
    SSL_free(server);
    SSL_free(client);
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    close(ends[0]);
    close(ends[1]);
    free(bytes);
    free(got);
}

/* What has come so far. */
static void read_all(void)
{
    size_t part;
    while (got_size < SIZE && SSL_read_ex(client, got + got_size, SIZE - got_size, &part) == 1)
        got_size += part;
}

START_TEST(all_is_taken_that_the_socket_has_room_for)
{
    ck_assert_int_eq(tls_send(server, bytes, 20000), 20000); /* more than a record */
    ck_assert_int_eq(tls_send(server, bytes + 20000, 1), 1);
    read_all();
    ck_assert_uint_eq(got_size, 20001);
    ck_assert_mem_eq(got, bytes, got_size);
}
END_TEST

START_TEST(the_rest_follows_from_wherever_it_is_kept)
{
    size_t sent = 0;
    int refusals = 0;
    for (int turn = 0; sent < SIZE; turn++) {
        ck_assert_int_lt(turn, 1000);
        uint8_t *copy = malloc(SIZE - sent); /* another place each time */
        memcpy(copy, bytes + sent, SIZE - sent);
        ssize_t taken = tls_send(server, copy, SIZE - sent);
        free(copy);
        ck_assert_int_ge(taken, 0);
        ck_assert_uint_eq(ERR_peek_error(), 0);
        sent += (size_t)taken;
        if (sent < SIZE) {
            ck_assert_int_eq(tls_send(server, bytes + sent, SIZE - sent), 0); /* full is full */
            refusals++;
        }
        read_all();
    }
    read_all();
    ck_assert_int_gt(refusals, 0);
    ck_assert_uint_eq(got_size, SIZE);
    ck_assert_mem_eq(got, bytes, SIZE);
}
END_TEST

START_TEST(what_the_peer_sends_is_no_hindrance)
{
    ck_assert_int_eq(SSL_write(client, "hello", 5), 5);
    ck_assert_int_eq(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED), 1);
    ck_assert_int_eq(SSL_write(client, "hello", 5), 5);
    ck_assert_int_eq(tls_send(server, bytes, 20000), 20000);
    read_all();
    ck_assert_uint_eq(got_size, 20000);
}
END_TEST

START_TEST(a_peer_that_is_gone_breaks_the_connection)
{
    close(ends[1]);
    ck_assert_int_eq(tls_send(server, bytes, 1), -1);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ends[1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}
END_TEST

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the relay does */
    TCase *tcase = tcase_create("tls");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, all_is_taken_that_the_socket_has_room_for);
    tcase_add_test(tcase, the_rest_follows_from_wherever_it_is_kept);
    tcase_add_test(tcase, what_the_peer_sends_is_no_hindrance);
    tcase_add_test(tcase, a_peer_that_is_gone_breaks_the_connection);
    return run_suite("tls", tcase);
}
