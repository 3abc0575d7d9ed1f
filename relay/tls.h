/* TLS of the listening socket: what libwebsockets is not asked to do. Files come in as paths, the bytes of streams go
 * out; sessions never see it. */
#ifndef PGHERALD_TLS_H
#define PGHERALD_TLS_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TLS_WHY_SIZE = 512, TLS_DATE_SIZE = 32 };

/* A certificate with those between it and the root, and its private key. */
struct tls_pair;

/* From two files (PEM: a chain, its own certificate first; a private key without a password) that belong together and
 * that a server can use. NULL: why names the file. */
struct tls_pair *tls_pair_load(const char *cert_file, const char *key_file, char why[TLS_WHY_SIZE]);
void tls_pair_free(struct tls_pair *pair); /* connections that have it keep it; NULL is allowed */

/* Each handshake from now on shows what *pair is at that time, and no other; it is the caller's. */
void tls_show(SSL_CTX *context, struct tls_pair *const *pair);

/* When its own certificate is valid, by this machine's clock. */
struct tls_validity {
    bool is_early, is_over;
    int days_left; /* whole ones until it expires, less than 0 when it has */
    char from[TLS_DATE_SIZE], until[TLS_DATE_SIZE]; /* UTC, as RFC 3339 writes it */
};
struct tls_validity tls_pair_validity(const struct tls_pair *pair);
/* The log is told if clients will refuse it today. NULL: no TLS, and nothing to tell. */
void tls_pair_warn(const struct tls_pair *pair);

/* TLS 1.2 and later, with forward secrecy and authenticated encryption (RFC 9325 §3.1.1, §4.2), no renegotiation, and
 * no buffers for connections that are idle. False: OpenSSL refuses. */
bool tls_harden(SSL_CTX *context);

/* From now on tls_send() writes to this connection, and nobody else does. */
void tls_start_sending(SSL *ssl);
/* How much was taken, maybe nothing; the next call must begin with the byte behind that and have no fewer. -1: the
 * connection is broken. What is not taken waits for room in the socket, never for the peer to send something. */
ssize_t tls_send(SSL *ssl, const uint8_t *bytes, size_t size);
/* The peer is told that nothing more comes (RFC 8446 §6.1); what it sends can still be read. */
void tls_end_sending(SSL *ssl);

#endif
