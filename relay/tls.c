/* TLS; see tls.h. */
#include "tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "log.h"
#include "memory.h"

/* What the holder has; it serves no connection. */
struct tls_pair {
    SSL_CTX *holder;
    X509 *own;
    STACK_OF(X509) *chain; /* NULL: none between it and the root */
    EVP_PKEY *key;
};

static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20"; /* of TLS 1.2; those of 1.3 are all as good */

/* Encrypted keys must not make OpenSSL ask on a terminal. */
static int no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return 0;
}

/* The oldest error is the cause; those after it are of its callers. */
static bool refuse(char why[TLS_WHY_SIZE], const char *variable, const char *file)
{
    unsigned long error = ERR_get_error();
    const char *reason = ERR_reason_error_string(error);
    snprintf(why, TLS_WHY_SIZE, "%s: %s cannot be used: %s", variable, file,
             ERR_SYSTEM_ERROR(error) ? "it cannot be read" : reason ? reason : "it is not PEM");
    ERR_clear_error();
    return false;
}

static bool load(SSL_CTX *context, const char *cert_file, const char *key_file, char why[TLS_WHY_SIZE])
{
    SSL_CTX_set_default_passwd_cb(context, no_password);
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
        return refuse(why, "HERALD_TLS_CERT", cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        return refuse(why, "HERALD_TLS_KEY", key_file);
    return true;
}

struct tls_pair *tls_pair_load(const char *cert_file, const char *key_file, char why[TLS_WHY_SIZE])
{
    ERR_clear_error();
    SSL_CTX *holder = SSL_CTX_new(TLS_server_method());
    if (!holder) {
        snprintf(why, TLS_WHY_SIZE, "OpenSSL does not start");
        return NULL;
    }
    if (!load(holder, cert_file, key_file, why)) {
        SSL_CTX_free(holder);
        return NULL;
    }
    struct tls_pair *pair = memory_zero(sizeof(*pair));
    pair->holder = holder;
    pair->own = SSL_CTX_get0_certificate(holder);
    pair->key = SSL_CTX_get0_privatekey(holder);
    SSL_CTX_get0_chain_certs(holder, &pair->chain);
    return pair;
}

void tls_pair_free(struct tls_pair *pair)
{
    if (!pair)
        return;
    SSL_CTX_free(pair->holder);
    free(pair);
}

/* A context keeps a certificate for each type of key, and cannot be made to forget one: a connection can. */
static int show(SSL *ssl, void *current)
{
    const struct tls_pair *pair = *(struct tls_pair *const *)current;
    SSL_certs_clear(ssl);
    return SSL_use_cert_and_key(ssl, pair->own, pair->key, pair->chain, 1);
}

void tls_show(SSL_CTX *context, struct tls_pair *const *pair)
{
    SSL_CTX_set_cert_cb(context, show, (void *)pair);
}

static void print_date(const ASN1_TIME *time, char out[TLS_DATE_SIZE])
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1 || strftime(out, TLS_DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(out, TLS_DATE_SIZE, "?");
}

struct tls_validity tls_pair_validity(const struct tls_pair *pair)
{
    struct tls_validity validity = {.days_left = -1};
    const ASN1_TIME *from = X509_get0_notBefore(pair->own), *until = X509_get0_notAfter(pair->own);
    int seconds = -1;
    /* Both numbers have the sign of the difference. */
    if (ASN1_TIME_diff(&validity.days_left, &seconds, NULL, until) == 1 && seconds < 0)
        validity.days_left--;
    validity.is_over = validity.days_left < 0;
    validity.is_early = X509_cmp_current_time(from) > 0;
    print_date(from, validity.from);
    print_date(until, validity.until);
    return validity;
}

void tls_pair_warn(const struct tls_pair *pair)
{
    if (!pair)
        return;
    struct tls_validity validity = tls_pair_validity(pair);
    if (validity.is_over)
        log_warn("certificate_expired", LOG_STR("date", validity.until));
    else if (validity.is_early)
        log_warn("certificate_early", LOG_STR("date", validity.from));
}

bool tls_harden(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 && SSL_CTX_set_cipher_list(context, ciphers) == 1;
}

/* Each record counts as soon as the kernel has it, so that what is kept of the rest shrinks. */
void tls_start_sending(SSL *ssl)
{
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

ssize_t tls_send(SSL *ssl, const uint8_t *bytes, size_t size)
{
    size_t taken = 0, part = 0;
    ERR_clear_error();
    while (taken < size) {
        if (SSL_write_ex(ssl, bytes + taken, size - taken, &part) != 1) {
            bool is_full = SSL_get_error(ssl, 0) == SSL_ERROR_WANT_WRITE;
            ERR_clear_error();
            return is_full ? (ssize_t)taken : -1;
        }
        taken += part;
    }
    return (ssize_t)taken;
}

void tls_end_sending(SSL *ssl)
{
    ERR_clear_error();
    SSL_shutdown(ssl);
    ERR_clear_error();
}
