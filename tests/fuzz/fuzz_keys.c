/* Key files: secret, PEM or JWK set. The first byte is the configured algorithm. What loads has only keys
 * that may verify tokens, each found by its name; what does not says why in one line. */
#include "fuzz.h"

#include "jwt_key.h"

static void assert_key(const struct jwt_keys *keys, const struct jwt_key *key)
{
    size_t secret_size = 0;
    bool hmac = token_alg_family(key->alg) == TOKEN_FAMILY_HMAC;
    assert(key->alg < TOKEN_ALG_COUNT && jwt_keys_have_alg(keys, key->alg));
    assert(hmac == (jwt_key_secret(key, &secret_size) != NULL));
    assert(!hmac || secret_size >= JWT_KEYS_SECRET_MIN_BYTES);
    assert(hmac ? key->mac != NULL : key->verify != NULL);
    assert(key->kid || keys->count == 1);
    assert(jwt_keys_find(keys, key->kid) == key);
    /* No signature of nothing is one. */
    assert(!jwt_key_verify(key, "", 0, (const unsigned char *)"", 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    enum token_alg alg = (enum token_alg)(input_byte(&input) % TOKEN_ALG_COUNT);
    char error[JWT_KEYS_ERROR_BYTES] = "";
    struct jwt_keys *keys;
    if (jwt_keys_parse(&keys, alg, (const char *)input.at, input.left, "the file", error)) {
        assert(keys->count >= 1 && keys->count <= JWT_KEYS_MAX);
        for (size_t i = 0; i < keys->count; i++)
            assert_key(keys, &keys->key[i]);
        jwt_keys_free(keys);
    } else {
        assert(!keys);
        assert(strnlen(error, sizeof(error)) < sizeof(error));
        assert_one_line(error);
    }
    return 0;
}
