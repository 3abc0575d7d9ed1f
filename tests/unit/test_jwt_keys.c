/* Key files against jwt_keys_parse and jwt_keys_load: what is accepted is found again by its name,
 * what is not gets an error that says what to do. */
#include <check.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jwt_keys.h"
#include "token_maker.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define K32 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY" /* SECRET */
#define K31 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQ"

static EVP_PKEY *rsa2048, *rsa1024, *ec256, *ec384, *ec521, *ec_k1, *ed25519, *rsa_pss;
static char err[JWT_KEYS_ERROR_BYTES];

static void make_keys(void)
{
    rsa2048 = maker_rsa(2048);
    rsa1024 = maker_rsa(1024);
    ec256 = maker_ec("P-256");
    ec384 = maker_ec("P-384");
    ec521 = maker_ec("P-521");
    ec_k1 = maker_ec("secp256k1");
    ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY_keygen_init(ctx);
    EVP_PKEY_generate(ctx, &rsa_pss);
    EVP_PKEY_CTX_free(ctx);
}

static void free_keys(void)
{
    EVP_PKEY *const all[] = {rsa2048, rsa1024, ec256, ec384, ec521, ec_k1, ed25519, rsa_pss};
    for (int i = 0; i < LENGTH(all); i++)
        EVP_PKEY_free(all[i]);
}

static struct jwt_keys *parse(enum token_alg alg, const char *data, size_t size)
{
    struct jwt_keys *keys = (void *)err; /* must be overwritten */
    err[0] = '\0';
    bool ok = jwt_keys_parse(&keys, alg, data, size, "key.file", err);
    ck_assert_msg(ok == (keys != NULL), "result and keys disagree");
    ck_assert_msg(ok == (err[0] == '\0'), "result and error disagree: %s", err);
    ck_assert_msg(ok || strncmp(err, "key.file: ", 10) == 0, "the file is not named: %s", err);
    return keys;
}

static struct jwt_keys *accept(enum token_alg alg, const char *text)
{
    struct jwt_keys *keys = parse(alg, text, strlen(text));
    ck_assert_msg(keys != NULL, "%s: %s", err, text);
    return keys;
}

/* Refused, and the error contains word. */
static void refuse(enum token_alg alg, const char *text, const char *word)
{
    struct jwt_keys *keys = parse(alg, text, strlen(text));
    ck_assert_msg(keys == NULL, "accepted: %s", text);
    ck_assert_msg(strstr(err, word) != NULL, "\"%s\" is not in: %s", word, err);
}

/* Takes text. */
static void refuse_taken(enum token_alg alg, char *text, const char *word)
{
    refuse(alg, text, word);
    free(text);
}

static void expect_secret(const struct jwt_keys *keys, const char *kid, const void *secret, size_t size)
{
    size_t got = 0;
    const struct jwt_key *key = jwt_keys_find(keys, kid);
    ck_assert_ptr_nonnull(key);
    const unsigned char *bytes = jwt_key_secret(key, &got);
    ck_assert_uint_eq(got, size);
    ck_assert_mem_eq(bytes, secret, size);
}

START_TEST(algorithm_names_are_exact)
{
    static const char *const wrong[] = {"",       "none",  "hs256",  "HS256 ", "HS25",
                                        "HS2566", "PS256", "ES256K", "EdDSA"};
    enum token_alg alg = TOKEN_ALG_COUNT;
    for (int i = 0; i < TOKEN_ALG_COUNT; i++) {
        const char *name = token_alg_name((enum token_alg)i);
        ck_assert(token_alg_parse(name, strlen(name), &alg));
        ck_assert_int_eq((int)alg, i);
    }
    for (int i = 0; i < LENGTH(wrong); i++)
        ck_assert(!token_alg_parse(wrong[i], strlen(wrong[i]), &alg));
    ck_assert_int_eq((int)token_alg_family(TOKEN_ALG_HS384), TOKEN_FAMILY_HMAC);
    ck_assert_int_eq((int)token_alg_family(TOKEN_ALG_RS512), TOKEN_FAMILY_RSA);
    ck_assert_int_eq((int)token_alg_family(TOKEN_ALG_ES256), TOKEN_FAMILY_EC);
}
END_TEST

START_TEST(one_trailing_newline_is_not_part_of_a_secret)
{
    static const struct {
        const char *file;
        const char *secret;
    } cases[] = {
        {SECRET, SECRET},
        {SECRET "\n", SECRET},
        {SECRET "\r\n", SECRET},
        {SECRET "\n\n", SECRET "\n"},
        {SECRET " \n", SECRET " "},
        {SECRET "\r", SECRET "\r"},
        {" " SECRET "\n", " " SECRET},
    };
    for (int i = 0; i < LENGTH(cases); i++) {
        struct jwt_keys *keys = accept(TOKEN_ALG_HS256, cases[i].file);
        expect_secret(keys, NULL, cases[i].secret, strlen(cases[i].secret));
        jwt_keys_free(keys);
    }
}
END_TEST

START_TEST(a_secret_may_have_any_bytes)
{
    unsigned char bytes[48];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37);
    struct jwt_keys *keys = parse(TOKEN_ALG_HS512, (const char *)bytes, sizeof bytes);
    ck_assert_ptr_nonnull(keys);
    expect_secret(keys, "any kid", bytes, sizeof bytes);
    ck_assert(jwt_keys_have_alg(keys, TOKEN_ALG_HS512));
    ck_assert(!jwt_keys_have_alg(keys, TOKEN_ALG_HS256));
    jwt_keys_free(keys);
}
END_TEST

START_TEST(a_secret_has_at_least_32_bytes)
{
    refuse(TOKEN_ALG_HS256, "0123456789abcdef0123456789abcde", "31 bytes");
    refuse(TOKEN_ALG_HS256, "0123456789abcdef0123456789abcde\n", "31 bytes");
    refuse(TOKEN_ALG_HS256, "x", "at least 32");
    refuse(TOKEN_ALG_HS256, "{\"kty\":\"oct\",\"k\":\"" K31 "\"}", "31 bytes");
}
END_TEST

START_TEST(an_empty_file_is_no_key)
{
    static const enum token_alg algs[] = {TOKEN_ALG_HS256, TOKEN_ALG_RS256, TOKEN_ALG_ES256};
    for (int i = 0; i < LENGTH(algs); i++) {
        refuse(algs[i], "", "empty");
        refuse(algs[i], "\n", "empty");
        refuse(algs[i], " \r\n\t", "empty");
    }
}
END_TEST

START_TEST(a_public_pem_must_fit_its_algorithm)
{
    const struct {
        EVP_PKEY *pkey;
        enum token_alg alg;
        const char *word; /* NULL: accepted */
    } cases[] = {
        {rsa2048, TOKEN_ALG_RS256, NULL},
        {rsa2048, TOKEN_ALG_RS384, NULL},
        {rsa2048, TOKEN_ALG_RS512, NULL},
        {ec256, TOKEN_ALG_ES256, NULL},
        {ec384, TOKEN_ALG_ES384, NULL},
        {ec521, TOKEN_ALG_ES512, NULL},
        {rsa1024, TOKEN_ALG_RS256, "1024 bits"},
        {rsa2048, TOKEN_ALG_ES256, "EC key"},
        {ec256, TOKEN_ALG_RS256, "RSA key"},
        {ec384, TOKEN_ALG_ES256, "P-256"},
        {ec256, TOKEN_ALG_ES512, "P-521"},
        {ec_k1, TOKEN_ALG_ES256, "P-256"},
        {ed25519, TOKEN_ALG_ES256, "EC key"},
        {rsa_pss, TOKEN_ALG_RS256, "RSA key"},
        {rsa2048, TOKEN_ALG_HS256, "needs a secret"},
        {ec256, TOKEN_ALG_HS512, "needs a secret"},
    };
    for (int i = 0; i < LENGTH(cases); i++) {
        char *pem = maker_public_pem(cases[i].pkey);
        if (cases[i].word) {
            refuse(cases[i].alg, pem, cases[i].word);
        } else {
            struct jwt_keys *keys = accept(cases[i].alg, pem);
            size_t size = 1;
            ck_assert_ptr_null(jwt_key_secret(jwt_keys_find(keys, NULL), &size));
            ck_assert_int_eq((int)jwt_key_alg(jwt_keys_find(keys, "x")), (int)cases[i].alg);
            jwt_keys_free(keys);
        }
        free(pem);
    }
}
END_TEST

START_TEST(other_pem_files_are_refused_with_the_remedy)
{
    static const char garbage[] = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    char *public_pem = maker_public_pem(rsa2048);
    char *two = calloc(1, 2 * strlen(public_pem) + 1);
    strcpy(two, public_pem);
    strcat(two, public_pem);
    refuse_taken(TOKEN_ALG_RS256, maker_private_pem(rsa2048), "-pubout");
    refuse_taken(TOKEN_ALG_ES256, maker_private_pem(ec256), "-pubout");
    refuse(TOKEN_ALG_RS256, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x509");
    refuse(TOKEN_ALG_RS256,
           "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "private");
    refuse(TOKEN_ALG_RS256, garbage, "cannot read a public key");
    refuse(TOKEN_ALG_RS256, "ssh-rsa AAAAB3NzaC1yc2E alice@example\n", "neither");
    refuse(TOKEN_ALG_ES256, SECRET, "neither");
    refuse_taken(TOKEN_ALG_RS256, two, "several");
    public_pem[strlen(public_pem) / 2] = '\0';
    refuse_taken(TOKEN_ALG_RS256, public_pem, "cannot read a public key");
}
END_TEST

static char *jwk_text(EVP_PKEY *pkey, const char *crv, size_t width, const char *more)
{
    char *members = maker_jwk_members(pkey, crv, width);
    char *text = malloc(strlen(members) + strlen(more) + 8);
    sprintf(text, "{%s%s}", members, more);
    free(members);
    return text;
}

START_TEST(a_single_jwk_is_a_key_of_the_configured_algorithm)
{
    const struct {
        char *text; /* owned */
        enum token_alg alg;
    } cases[] = {
        {strdup("{\"kty\":\"oct\",\"k\":\"" K32 "\"}"), TOKEN_ALG_HS256},
        {strdup(" \n{\"kty\":\"oct\",\"k\":\"" K32 "\"}\n"), TOKEN_ALG_HS512},
        {jwk_text(rsa2048, "", 0, ""), TOKEN_ALG_RS384},
        {jwk_text(ec256, "P-256", 32, ""), TOKEN_ALG_ES256},
        {jwk_text(ec384, "P-384", 48, ",\"use\":\"sig\""), TOKEN_ALG_ES384},
        {jwk_text(ec521, "P-521", 66, ",\"key_ops\":[\"verify\"]"), TOKEN_ALG_ES512},
    };
    for (int i = 0; i < LENGTH(cases); i++) {
        struct jwt_keys *keys = accept(cases[i].alg, cases[i].text);
        ck_assert_uint_eq(jwt_keys_count(keys), 1);
        ck_assert_int_eq((int)jwt_key_alg(jwt_keys_find(keys, NULL)), (int)cases[i].alg);
        jwt_keys_free(keys);
        free(cases[i].text);
    }
}
END_TEST

START_TEST(keys_of_a_set_are_found_by_name)
{
    char text[8192];
    char *r = maker_jwk_members(rsa2048, "", 0);
    char *e = maker_jwk_members(ec256, "P-256", 32);
    snprintf(text, sizeof text,
             "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"" K32 "\"},"
             "{%s,\"kid\":\"2026-05\",\"alg\":\"RS256\"},{%s,\"kid\":\"e/1\",\"alg\":\"ES256\"}]}",
             r, e);
    struct jwt_keys *keys = accept(TOKEN_ALG_HS384, text);
    ck_assert_uint_eq(jwt_keys_count(keys), 3);
    ck_assert_int_eq((int)jwt_key_alg(jwt_keys_find(keys, "a")), TOKEN_ALG_HS384);
    ck_assert_int_eq((int)jwt_key_alg(jwt_keys_find(keys, "2026-05")), TOKEN_ALG_RS256);
    ck_assert_int_eq((int)jwt_key_alg(jwt_keys_find(keys, "e/1")), TOKEN_ALG_ES256);
    ck_assert_str_eq(jwt_key_id(jwt_keys_find(keys, "e/1")), "e/1");
    ck_assert_ptr_null(jwt_keys_find(keys, NULL));
    ck_assert_ptr_null(jwt_keys_find(keys, ""));
    ck_assert_ptr_null(jwt_keys_find(keys, "A"));
    ck_assert_ptr_null(jwt_keys_find(keys, "2026-05 "));
    ck_assert(jwt_keys_have_alg(keys, TOKEN_ALG_ES256));
    ck_assert(!jwt_keys_have_alg(keys, TOKEN_ALG_HS256));
    jwt_keys_free(keys);
    free(r);
    free(e);
}
END_TEST

#define OCT(more) "{\"kty\":\"oct\",\"k\":\"" K32 "\"" more "}"
#define SET(keys) "{\"keys\":[" keys "]}"

START_TEST(keys_for_other_uses_are_skipped)
{
    static const char *const others[] = {
        OCT(",\"kid\":\"b\",\"use\":\"enc\""),
        OCT(",\"kid\":\"b\",\"use\":7"),
        OCT(",\"kid\":\"b\",\"key_ops\":[\"encrypt\",\"decrypt\"]"),
        OCT(",\"kid\":\"b\",\"alg\":\"A256GCM\""),
        OCT(",\"kid\":\"b\",\"alg\":\"none\""),
        OCT(",\"kid\":\"b\",\"alg\":null"),
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\",\"kid\":\"b\"}",
        "{\"kty\":\"RSA\",\"alg\":\"RSA-OAEP\",\"n\":\"AA\",\"e\":\"AQAB\",\"kid\":\"b\"}",
        "{\"kty\":\"RSA\",\"alg\":\"PS256\",\"n\":\"AA\",\"e\":\"AQAB\",\"kid\":\"b\"}",
    };
    for (int i = 0; i < LENGTH(others); i++) {
        char text[512];
        snprintf(text, sizeof text, SET("%s," OCT(",\"kid\":\"a\"")), others[i]);
        struct jwt_keys *keys = accept(TOKEN_ALG_HS256, text);
        ck_assert_uint_eq(jwt_keys_count(keys), 1);
        ck_assert_ptr_nonnull(jwt_keys_find(keys, "a"));
        ck_assert_ptr_null(jwt_keys_find(keys, "b"));
        jwt_keys_free(keys);
        snprintf(text, sizeof text, SET("%s"), others[i]);
        refuse(TOKEN_ALG_HS256, text, "no key that can verify");
    }
}
END_TEST

static const struct {
    const char *name;
    enum token_alg alg;
    const char *text;
    const char *word;
} bad_jwks[] = {
    {"not JSON", TOKEN_ALG_HS256, "{\"keys\":[", "not JSON"},
    {"a secret that starts with a brace", TOKEN_ALG_HS256, "{0123456789abcdef0123456789abcdef", "not JSON"},
    {"something behind", TOKEN_ALG_HS256, OCT("") "x", "not JSON"},
    {"a member twice", TOKEN_ALG_HS256, OCT(",\"k\":\"" K32 "\""), "not JSON"},
    {"no kty", TOKEN_ALG_HS256, "{\"k\":\"" K32 "\"}", "kty"},
    {"kty a number", TOKEN_ALG_HS256, "{\"kty\":1,\"k\":\"" K32 "\"}", "kty"},
    {"an empty object", TOKEN_ALG_HS256, "{}", "kty"},
    {"keys an object", TOKEN_ALG_HS256, "{\"keys\":{}}", "array"},
    {"no keys", TOKEN_ALG_HS256, "{\"keys\":[]}", "no key"},
    {"a key that is a string", TOKEN_ALG_HS256, SET("\"x\""), "key 1"},
    {"the second key is wrong", TOKEN_ALG_HS256, SET(OCT(",\"kid\":\"a\"") ",7"), "key 2"},
    {"two without a name", TOKEN_ALG_HS256, SET(OCT("") "," OCT("")), "kid"},
    {"one of two without a name", TOKEN_ALG_HS256, SET(OCT(",\"kid\":\"a\"") "," OCT("")), "kid"},
    {"two of one name", TOKEN_ALG_HS256, SET(OCT(",\"kid\":\"a\"") "," OCT(",\"kid\":\"a\"")), "same"},
    {"kid empty", TOKEN_ALG_HS256, OCT(",\"kid\":\"\""), "kid"},
    {"kid a number", TOKEN_ALG_HS256, OCT(",\"kid\":1"), "kid"},
    {"k missing", TOKEN_ALG_HS256, "{\"kty\":\"oct\"}", "\"k\" is missing"},
    {"k empty", TOKEN_ALG_HS256, "{\"kty\":\"oct\",\"k\":\"\"}", "\"k\" is missing"},
    {"k padded", TOKEN_ALG_HS256, "{\"kty\":\"oct\",\"k\":\"" K32 "=\"}", "base64url"},
    {"k plain base64", TOKEN_ALG_HS256,
     "{\"kty\":\"oct\",\"k\":\"++++++++++++++++++++++++++++++++++++++++++++\"}", "base64url"},
    {"oct, but RS256 configured", TOKEN_ALG_RS256, OCT(""), "RS256"},
    {"alg of another kty", TOKEN_ALG_HS256, OCT(",\"alg\":\"RS256\""), "does not go with"},
    {"RSA without n", TOKEN_ALG_RS256, "{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "\"n\" is missing"},
    {"RSA without e", TOKEN_ALG_RS256, "{\"kty\":\"RSA\",\"n\":\"AQAB\"}", "\"e\" is missing"},
    {"RSA tiny", TOKEN_ALG_RS256, "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "bits"},
    {"RSA zero", TOKEN_ALG_RS256, "{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AA\"}", "key"},
    {"RSA private", TOKEN_ALG_RS256, "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"d\":\"AQAB\"}",
     "private"},
    {"EC without crv", TOKEN_ALG_ES256, "{\"kty\":\"EC\",\"x\":\"AA\",\"y\":\"AA\"}", "crv"},
    {"EC on secp256k1", TOKEN_ALG_ES256, "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
     "crv"},
    {"EC without y", TOKEN_ALG_ES256, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\"}", "\"y\" is missing"},
    {"EC with short coordinates", TOKEN_ALG_ES256,
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", "32 bytes"},
    {"EC with a point beside the curve", TOKEN_ALG_ES256,
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" K32 "\",\"y\":\"" K32 "\"}", "damaged"},
};

START_TEST(a_wrong_jwk_is_an_error_that_says_why)
{
    refuse(bad_jwks[_i].alg, bad_jwks[_i].text, bad_jwks[_i].word);
}
END_TEST

static const char *const broken_secrets[] = {
    "{geheim-geheim 0123456789abcdef", /* a raw secret that starts with a brace */
    "{\"kty\":\"oct\",\"k\" \"geheim\"}",
    "{\"kty\":\"oct\",\"k\":\"geheim",
    "{\"geheim\x1b",
};

START_TEST(an_error_never_quotes_what_may_be_the_secret)
{
    refuse(TOKEN_ALG_HS256, broken_secrets[_i], "not JSON");
    ck_assert_msg(!strstr(err, "geheim"), "the secret is in: %s", err);
    ck_assert_msg(!strchr(err, '\x1b'), "a control character is in the error");
}
END_TEST

START_TEST(jwks_of_real_keys_must_fit_their_algorithm)
{
    refuse_taken(TOKEN_ALG_RS256, jwk_text(rsa1024, "", 0, ""), "1024 bits");
    refuse_taken(TOKEN_ALG_ES256, jwk_text(ec384, "P-384", 48, ""), "P-256");
    refuse_taken(TOKEN_ALG_RS256, jwk_text(ec384, "P-384", 48, ",\"alg\":\"ES256\""), "P-256");
    refuse_taken(TOKEN_ALG_ES256, jwk_text(rsa2048, "", 0, ""), "does not go with");
    refuse_taken(TOKEN_ALG_ES256, jwk_text(ec256, "P-256", 32, ",\"d\":\"AQAB\""), "private");
}
END_TEST

/* With e = 1 every signature is its own message: anybody could sign. */
START_TEST(an_rsa_exponent_of_one_is_refused)
{
    char text[1024];
    char *n = maker_number(rsa2048, OSSL_PKEY_PARAM_RSA_N, 0);
    snprintf(text, sizeof text, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQ\"}", n);
    refuse(TOKEN_ALG_RS256, text, "damaged");
    snprintf(text, sizeof text, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"Ag\"}", n);
    refuse(TOKEN_ALG_RS256, text, "damaged");
    free(n);
}
END_TEST

START_TEST(a_set_may_have_64_keys_and_no_more)
{
    for (int count = 63; count <= 65; count++) {
        char *text = malloc(65 * 128);
        int len = sprintf(text, "{\"keys\":[");
        for (int i = 0; i < count; i++)
            len += sprintf(text + len, "%s" OCT(",\"kid\":\"k%d\""), i ? "," : "", i);
        strcpy(text + len, "]}");
        if (count <= JWT_KEYS_MAX) {
            struct jwt_keys *keys = accept(TOKEN_ALG_HS256, text);
            ck_assert_uint_eq(jwt_keys_count(keys), (size_t)count);
            expect_secret(keys, "k62", SECRET, 32);
            jwt_keys_free(keys);
        } else {
            refuse(TOKEN_ALG_HS256, text, "at most 64");
        }
        free(text);
    }
}
END_TEST

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, size, file), size);
    fclose(file);
}

START_TEST(files_are_read_whole_or_refused)
{
    char folder[] = "/tmp/test_jwt_keys.XXXXXX";
    char path[64];
    struct jwt_keys *keys = NULL;
    char *big = malloc(JWT_KEYS_FILE_BYTES + 1);
    memset(big, 'k', JWT_KEYS_FILE_BYTES + 1);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);

    ck_assert(!jwt_keys_load(&keys, TOKEN_ALG_HS256, path, err));
    ck_assert_ptr_nonnull(strstr(err, "No such file"));
    ck_assert_ptr_nonnull(strstr(err, path));
    ck_assert_ptr_null(keys);
    ck_assert(!jwt_keys_load(&keys, TOKEN_ALG_HS256, folder, err));
    ck_assert_ptr_nonnull(strstr(err, "directory"));

    write_file(path, SECRET "\n", strlen(SECRET) + 1);
    ck_assert_msg(jwt_keys_load(&keys, TOKEN_ALG_HS256, path, err), "%s", err);
    expect_secret(keys, NULL, SECRET, strlen(SECRET));
    jwt_keys_free(keys);

    write_file(path, big, JWT_KEYS_FILE_BYTES);
    ck_assert_msg(jwt_keys_load(&keys, TOKEN_ALG_HS256, path, err), "%s", err);
    jwt_keys_free(keys);
    write_file(path, big, JWT_KEYS_FILE_BYTES + 1);
    ck_assert(!jwt_keys_load(&keys, TOKEN_ALG_HS256, path, err));
    ck_assert_ptr_nonnull(strstr(err, "more than"));

    write_file(path, SECRET, strlen(SECRET));
    chmod(path, 0);
    if (geteuid() != 0) {
        ck_assert(!jwt_keys_load(&keys, TOKEN_ALG_HS256, path, err));
        ck_assert_ptr_nonnull(strstr(err, "Permission denied"));
    }
    unlink(path);
    rmdir(folder);
    free(big);
}
END_TEST

START_TEST(a_long_file_name_still_leaves_room_for_the_reason)
{
    char path[400];
    struct jwt_keys *keys = NULL;
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert(!jwt_keys_parse(&keys, TOKEN_ALG_HS256, "x", 1, path, err));
    ck_assert_ptr_nonnull(strstr(err, "at least 32"));
    ck_assert_uint_lt(strlen(err), sizeof err);
}
END_TEST

START_TEST(freeing_nothing_is_allowed)
{
    jwt_keys_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jwt_keys");
    TCase *tcase = tcase_create("keys");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, make_keys, free_keys);
    tcase_add_test(tcase, algorithm_names_are_exact);
    tcase_add_test(tcase, one_trailing_newline_is_not_part_of_a_secret);
    tcase_add_test(tcase, a_secret_may_have_any_bytes);
    tcase_add_test(tcase, a_secret_has_at_least_32_bytes);
    tcase_add_test(tcase, an_empty_file_is_no_key);
    tcase_add_test(tcase, a_public_pem_must_fit_its_algorithm);
    tcase_add_test(tcase, other_pem_files_are_refused_with_the_remedy);
    tcase_add_test(tcase, a_single_jwk_is_a_key_of_the_configured_algorithm);
    tcase_add_test(tcase, keys_of_a_set_are_found_by_name);
    tcase_add_test(tcase, keys_for_other_uses_are_skipped);
    tcase_add_loop_test(tcase, a_wrong_jwk_is_an_error_that_says_why, 0, LENGTH(bad_jwks));
    tcase_add_loop_test(tcase, an_error_never_quotes_what_may_be_the_secret, 0, LENGTH(broken_secrets));
    tcase_add_test(tcase, jwks_of_real_keys_must_fit_their_algorithm);
    tcase_add_test(tcase, an_rsa_exponent_of_one_is_refused);
    tcase_add_test(tcase, a_set_may_have_64_keys_and_no_more);
    tcase_add_test(tcase, files_are_read_whole_or_refused);
    tcase_add_test(tcase, a_long_file_name_still_leaves_room_for_the_reason);
    tcase_add_test(tcase, freeing_nothing_is_allowed);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
