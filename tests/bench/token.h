/* JSON Web Tokens of the benchmark's users, signed with the key of the servers. */
#ifndef BENCH_TOKEN_H
#define BENCH_TOKEN_H

#include <stddef.h>

enum { TOKEN_MAX = 384 };

struct token_signer;

/* HS256: the file is the secret. ES256: it is the private key as PEM. */
struct token_signer *token_signer_new(const char *algorithm, const char *key_file);
/* A token of that subject, good for an hour. */
void token_make(struct token_signer *signer, const char *subject, char out[TOKEN_MAX]);
void token_signer_free(struct token_signer *signer);

#endif
