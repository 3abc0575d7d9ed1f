/* pgherald token: a subject in, a token that the relay accepts out. Signs with libjwt, then puts the
 * token through the relay's own checks, so that what is printed works. Owns nothing afterwards. */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "auth.h"
#include "clock.h"
#include "config.h"
#include "file.h"
#include "jwt_keys.h"

#define EXIT_USAGE 2
#define TTL_DEFAULT_S 3600
#define TTL_MAX_S (3650LL * 86400)

extern char **environ;

struct request {
    const char *sub;
    const char *scope;
    const char *issuer;
    const char *audience;
    const char *kid;
    const char *key_file;
    const char *config_file;
    int64_t ttl_s;
};

/* What signs: an HMAC secret, or a private key as PEM; and what verifies the result. */
struct signer {
    enum token_alg alg;
    char *bytes; /* owned, wiped when freed */
    size_t size;
    const char *kid;       /* for the header; NULL: none */
    struct jwt_keys *keys; /* owned; holds the verifying key */
};

static const char help[] =
    "Usage: pgherald token --sub ID [options]\n"
    "\n"
    "Prints a token with which the user ID can connect: alone on standard output, so\n"
    "that it can go straight into a command. For trying out, for tests and for\n"
    "programs that notify users; an application normally signs its users' tokens\n"
    "itself, with the same key.\n"
    "\n"
    "  --sub ID         the user: a user's id in herald.users, or what your own\n"
    "                   herald.resolve_user understands (letters, digits, . _ @ : -)\n"
    "  --ttl TIME       how long it is valid: 30s, 15m, 1h, 7d (default: 1h)\n"
    "  --scope WORDS    what it may do besides; notifications:write lets a program\n"
    "                   notify other users over HTTP\n"
    "  --key FILE       the key to sign with: a secret for HS..., a PRIVATE key as PEM\n"
    "                   for RS... and ES... (default: HERALD_JWT_KEY_FILE, which has\n"
    "                   only the public key for RS... and ES...)\n"
    "  --kid NAME       the key's name, where the relay has a JWK set of several keys\n"
    "  --issuer TEXT    the iss claim (default: HERALD_JWT_ISSUER)\n"
    "  --audience TEXT  the aud claim (default: HERALD_JWT_AUDIENCE)\n"
    "  --config FILE    read HERALD_* variables from FILE; the environment wins\n"
    "  --help           this text\n"
    "\n"
    "The algorithm is HERALD_JWT_ALG (default: HS256). With HERALD_AUTH=dev no key is\n"
    "needed: the token is dummy-jwt-for-ID, where ID is a user name.\n"
    "\n"
    "Examples:\n"
    "  # a key, and a token for alice\n"
    "  openssl rand -base64 48 > secret.key\n"
    "  export HERALD_JWT_KEY_FILE=secret.key\n"
    "  pgherald token --sub alice\n"
    "\n"
    "  # connect with it\n"
    "  websocat \"ws://localhost:8000/api/v1/notifications/ws?token=$(pgherald token --sub alice)\"\n"
    "\n"
    "  # the same with a key pair: the relay needs only public.pem\n"
    "  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private.pem\n"
    "  openssl pkey -in private.pem -pubout -out public.pem\n"
    "  HERALD_JWT_ALG=ES256 pgherald token --sub alice --ttl 15m --key private.pem\n"
    "\n"
    "Exit status: 0 printed, 1 failed, 2 wrong usage, 78 bad configuration or key.\n";

static int usage(const char *problem, const char *what)
{
    fprintf(stderr, "pgherald token: %s%s%s\nTry: pgherald token --help\n", problem, *what ? " " : "", what);
    return EXIT_USAGE;
}

static int fail(int status, const char *code, const char *problem)
{
    fprintf(stderr, "pgherald token: %s: %s\n", code, problem);
    return status;
}

/* 30s, 15m, 1h, 7d: at least one second, at most ten years. */
static bool parse_ttl(const char *text, int64_t *out)
{
    static const char units[] = "smhd";
    static const int64_t unit_s[] = {1, 60, 3600, 86400};
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
    if (digits == 0 || digits > 9 || !unit || text[digits + 1] != '\0')
        return false;
    *out = strtoll(text, NULL, 10) * unit_s[unit - units];
    return *out >= 1 && *out <= TTL_MAX_S;
}

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct request *request)
{
    static const struct option options[] = {
        {"sub", required_argument, NULL, 's'},      {"ttl", required_argument, NULL, 't'},
        {"scope", required_argument, NULL, 'o'},    {"key", required_argument, NULL, 'k'},
        {"kid", required_argument, NULL, 'i'},      {"issuer", required_argument, NULL, 'r'},
        {"audience", required_argument, NULL, 'a'}, {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    int option;
    opterr = 0;
    optind = 0; /* start anew, whatever main has parsed before */
    while ((option = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            request->sub = optarg;
            break;
        case 't':
            if (!parse_ttl(optarg, &request->ttl_s))
                return usage("--ttl must be like 30s, 15m, 1h or 7d, at most 3650d, not", optarg);
            break;
        case 'o':
            request->scope = optarg;
            break;
        case 'k':
            request->key_file = optarg;
            break;
        case 'i':
            request->kid = optarg;
            break;
        case 'r':
            request->issuer = optarg;
            break;
        case 'a':
            request->audience = optarg;
            break;
        case 'c':
            request->config_file = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_SUCCESS;
        case ':':
            return usage("a value is missing after", argv[optind - 1]);
        default:
            return usage("there is no option", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return usage("unexpected argument", argv[optind]);
    return -1;
}

static int check_request(const struct request *request)
{
    if (!request->sub)
        return usage("--sub is missing: whose token shall it be?", "");
    if (!auth_is_subject(request->sub, strlen(request->sub)))
        return usage("--sub must have 1 to 128 of these: letters, digits, . _ @ : -; not", request->sub);
    return -1;
}

static int print_token(const char *token)
{
    if (printf("%s\n", token) < 0 || fflush(stdout) != 0)
        return fail(EXIT_FAILURE, "token_not_made", "cannot write the token");
    return EXIT_SUCCESS;
}

static int print_dev_token(const struct request *request)
{
    char token[sizeof AUTH_DEV_PREFIX + AUTH_SUBJECT_MAX_BYTES];
    struct auth_claims claims;
    int len = snprintf(token, sizeof token, AUTH_DEV_PREFIX "%s", request->sub);
    if (auth_verify_dev(token, (size_t)len, &claims) != AUTH_OK)
        return usage("with HERALD_AUTH=dev --sub must have 1 to 64 of these: letters, digits, . _ @ -; not",
                     request->sub);
    auth_claims_clear(&claims);
    fputs("pgherald token: HERALD_AUTH is dev: this token proves nothing, never expires and works only with "
          "a relay in dev mode\n",
          stderr);
    return print_token(token);
}

static void signer_clear(struct signer *signer)
{
    if (signer->bytes)
        OPENSSL_cleanse(signer->bytes, signer->size);
    free(signer->bytes);
    jwt_keys_free(signer->keys);
    *signer = (struct signer){0};
}

static bool refuse(char err[JWT_KEYS_ERROR_BYTES], const char *file, const char *why)
{
    snprintf(err, JWT_KEYS_ERROR_BYTES, "%.120s: %.130s", file, why);
    return false;
}

static bool open_secret(struct signer *signer, const char *file, const char *kid,
                        char err[JWT_KEYS_ERROR_BYTES])
{
    if (!jwt_keys_load(&signer->keys, signer->alg, file, err))
        return false;
    if (!kid && jwt_keys_count(signer->keys) > 1)
        return refuse(err, file, "it has several keys; choose one with --kid");
    const struct jwt_key *key = jwt_keys_find(signer->keys, kid);
    if (!key)
        return refuse(err, file, "it has no key with the name given as --kid");
    const unsigned char *secret = jwt_key_secret(key, &signer->size);
    if (!secret)
        return refuse(err, file, "a public key cannot sign; give the private key with --key");
    signer->bytes = malloc(signer->size);
    if (!signer->bytes)
        return refuse(err, file, "out of memory");
    memcpy(signer->bytes, secret, signer->size);
    signer->alg = jwt_key_alg(key);
    signer->kid = kid ? kid : jwt_key_id(key);
    return true;
}

/* An encrypted key must not make OpenSSL ask on a terminal. */
static int no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static bool parse_public(struct signer *signer, BIO *bio, const char *file, char err[JWT_KEYS_ERROR_BYTES])
{
    char *pem = NULL;
    long size = BIO_get_mem_data(bio, &pem);
    return jwt_keys_parse(&signer->keys, signer->alg, pem, (size_t)size, file, err);
}

/* Loads the public half of the private key in signer->bytes as the key that verifies. */
static bool derive_public(struct signer *signer, const char *file, char err[JWT_KEYS_ERROR_BYTES])
{
    BIO *in = BIO_new_mem_buf(signer->bytes, (int)signer->size);
    BIO *out = BIO_new(BIO_s_mem());
    EVP_PKEY *pkey = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;
    bool ok;
    if (!pkey)
        ok = refuse(err, file,
                    "no private key in PEM form without a password; RS and ES tokens need one as --key");
    else if (!out || PEM_write_bio_PUBKEY(out, pkey) != 1)
        ok = refuse(err, file, "OpenSSL cannot take the public key out of it");
    else
        ok = parse_public(signer, out, file, err);
    EVP_PKEY_free(pkey);
    BIO_free(in);
    BIO_free(out);
    ERR_clear_error();
    return ok;
}

static bool open_private(struct signer *signer, const char *file, const char *kid,
                         char err[JWT_KEYS_ERROR_BYTES])
{
    signer->bytes = file_read_all(file, JWT_KEYS_FILE_BYTES, &signer->size);
    if (!signer->bytes)
        return refuse(err, file, strerror(errno));
    signer->kid = kid;
    return derive_public(signer, file, err);
}

static bool open_signer(struct signer *signer, const struct config *cfg, const struct request *request,
                        char err[JWT_KEYS_ERROR_BYTES])
{
    const char *file = request->key_file ? request->key_file : cfg->jwt_key_file;
    *signer = (struct signer){.alg = cfg->jwt_alg};
    if (token_alg_family(cfg->jwt_alg) == TOKEN_FAMILY_HMAC)
        return open_secret(signer, file, request->kid, err);
    return open_private(signer, file, request->kid, err);
}

/* Returns the token, malloc'd, or NULL. */
static char *sign_token(const struct signer *signer, const struct request *request, int64_t now_s)
{
    jwt_t *jwt = NULL;
    char *token = NULL;
    if (jwt_new(&jwt) != 0)
        return NULL;
    bool ok = jwt_add_grant(jwt, "sub", request->sub) == 0 && jwt_add_grant_int(jwt, "iat", now_s) == 0 &&
              jwt_add_grant_int(jwt, "exp", now_s + request->ttl_s) == 0;
    ok = ok && (!request->scope || jwt_add_grant(jwt, "scope", request->scope) == 0);
    ok = ok && (!request->issuer || jwt_add_grant(jwt, "iss", request->issuer) == 0);
    ok = ok && (!request->audience || jwt_add_grant(jwt, "aud", request->audience) == 0);
    ok = ok && (!signer->kid || jwt_add_header(jwt, "kid", signer->kid) == 0);
    ok = ok && jwt_set_alg(jwt, jwt_str_alg(token_alg_name(signer->alg)),
                           (const unsigned char *)signer->bytes, (int)signer->size) == 0;
    if (ok)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    return token;
}

static int print_signed_token(const struct signer *signer, const struct request *request)
{
    const struct auth_rules rules = {.issuer = request->issuer, .audience = request->audience};
    struct auth_claims claims;
    int64_t now_s = clock_wall_s();
    char *token = sign_token(signer, request, now_s);
    if (!token)
        return fail(EXIT_FAILURE, "token_not_made",
                    "the token cannot be signed; are --scope, --issuer and --audience UTF-8?");
    enum auth_result result = auth_verify(signer->keys, &rules, token, strlen(token), now_s, &claims);
    int status;
    if (result == AUTH_OK)
        status = print_token(token);
    else if (strlen(token) > AUTH_TOKEN_MAX_BYTES)
        status = fail(EXIT_FAILURE, "token_not_made",
                      "the token would be longer than the 8192 bytes a relay accepts");
    else
        status = fail(EXIT_FAILURE, "token_not_made", auth_reason(result));
    auth_claims_clear(&claims);
    free(token);
    return status;
}

static int make_token(const struct config *cfg, struct request *request)
{
    struct signer signer;
    char err[JWT_KEYS_ERROR_BYTES];
    if (cfg->auth == AUTH_MODE_DEV && !request->key_file)
        return print_dev_token(request);
    if (!request->key_file && !cfg->jwt_key_file)
        return fail(CONFIG_EXIT_STATUS, "bad_key",
                    "there is no key to sign with: set HERALD_JWT_KEY_FILE or give --key FILE");
    if (!request->issuer)
        request->issuer = cfg->jwt_issuer;
    if (!request->audience)
        request->audience = cfg->jwt_audience;
    int status = open_signer(&signer, cfg, request, err) ? print_signed_token(&signer, request)
                                                         : fail(CONFIG_EXIT_STATUS, "bad_key", err);
    signer_clear(&signer);
    return status;
}

int cmd_token(int argc, char **argv)
{
    struct request request = {.ttl_s = TTL_DEFAULT_S};
    struct config cfg;
    struct config_error err;
    int status = parse_options(argc, argv, &request);
    if (status < 0)
        status = check_request(&request);
    if (status >= 0)
        return status;
    if (!config_load(&cfg, request.config_file, environ, &err))
        return fail(CONFIG_EXIT_STATUS, "bad_configuration", err.message);
    status = make_token(&cfg, &request);
    config_free(&cfg);
    return status;
}
