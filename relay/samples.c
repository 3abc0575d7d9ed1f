/* Sample notifications; see samples.h. */
#include "samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "bearer.h"
#include "desk.h"
#include "login.h"

enum { SAMPLES_MAX = 1000 };

/* 0: not a number, or out of range. */
static long count_read(const char *digits)
{
    char *end = NULL;
    long count = strtol(digits, &end, 10);
    return end == digits || *end || count < 1 || count > SAMPLES_MAX ? 0 : count;
}

unsigned samples_request(struct relay *relay, const char *authorization, const char *count)
{
    struct auth_claims claims;
    struct text token;
    char digits[8];
    long number = count_read(count);
    if (!number)
        return 400;
    if (!bearer_token(text_of(authorization), &token) || login_verify(relay, token, &claims) != AUTH_OK)
        return 401;
    snprintf(digits, sizeof digits, "%ld", number);
    /* The rows arrive by the feed, as any others; a failure is in the log. */
    desk_submit(relay->desk, &(struct desk_query){
                                 .statement = DESK_SAMPLES, .values = {claims.claims_json, digits}, .once = true});
    auth_claims_clear(&claims);
    return 202;
}
