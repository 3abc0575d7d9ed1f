/* Keys for the fuzz target of tokens. The secret is the target's own; nobody has the private keys any more:
 * of what they signed there is one token each. */
#ifndef PGHERALD_FUZZ_TOKEN_KEYS_H
#define PGHERALD_FUZZ_TOKEN_KEYS_H

/* clang-format off */
#define SECRET "0123456789abcdef0123456789abcdef"

static const char rsa_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzpJTWtkIPH4RAokQXdoV\n"
    "6ZazMGFwMuqea6FRXKpCTZM2EL+MOb57jtOpyg0vT0eCkuKNH3lXgHsc8jMXfehk\n"
    "jb/AQSlGgw1I7d7HjEU/oMPbevFYOhsPMKZsbZ2ae8Z4D8hlWmESDOeoJILU/I6z\n"
    "H/rKCBf0VmJbCTvMWplqR6wtFSSNJ0RXP/e3+TcWn0qJYolEKX5/5IA87F5iUqt+\n"
    "rU3M8Hpn6ERV++EGFK6NkI49zK/9Hqq44wbk7gX0qG5J1r+7amyodGF3gzOGx8aD\n"
    "0vDWPcBUMbo278yZXSkMPDKjvdSu2wPAjepdKC8l4rX4PJS8PQ4o3UJrXusxqkDm\n"
    "GQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
static const char ec_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1f2UnU9Igq46l57H3WMORssoDlOe\n"
    "+AQbulghRqqhpVxkKOn7X/Q1XDMJqfvFpEpXiNzrWajQtaYz9icjr+UWFw==\n"
    "-----END PUBLIC KEY-----\n";
static const char rsa_token[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ.eyJzdWIiOiJhbGljZSIsImV4cCI6MTcwMDAwMzYwMCwiaXNzIjoiaXNzdWVyI"
    "iwiYXVkIjoiaGVyYWxkIiwic2NvcGUiOiJub3RpZmljYXRpb25zOndyaXRlIn0.kQUsmnlMcBcJQgSzdHvJmJFNks_FeftGQ"
    "kY4Q2OAAbCKIavgSYDKXPbHZi7EjWiIng2KG92CMfA6IpFR9RRrmiF_Vk27hf5rQkKXwMD-If-JT3b9loKP1G0Izo-ls3Bsl"
    "6Clh-fZP69ZP15CG1JHHpxr2mfmHESg-U2GwBrIKxl6AOrOItnLMAM7_j6om9xlZUn44T111p3cbYzbfD4TtZz5Mg_w_ecOt"
    "UCGQi-4tigBtqblVygN9r-ScbfrAtwzLxPzBLlPWJjrpyHlUWiY-IFFHmJ05cI5yzgerXhqu4Nw_q1fdRR5JYYRZOwWde2Ij"
    "YCER4i_sbr_-I-NueJ-Lw";
static const char ec_token[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJzdWIiOiJhbGljZSIsImV4cCI6MTcwMDAwMzYwMCwiaXNzIjoiaXNzdWVyI"
    "iwiYXVkIjoiaGVyYWxkIiwic2NvcGUiOiJub3RpZmljYXRpb25zOndyaXRlIn0.GCeLui5bVtsjDsf_Jx0ISuNqZGOPsX5zZ"
    "wH5Th5NXsqGCn3uiLQY8jSUSEbqUrBE5gQXJWGTI40ztqprlrOPhg";
static const char key_set[] =
    "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"h\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}"
    ",{\"kty\":\"RSA\",\"n\":\"zpJTWtkIPH4RAokQXdoV6ZazMGFwMuqea6FRXKpCTZM2EL-MOb57jtOpyg0vT0eCkuKNH3lXgHsc8"
    "jMXfehkjb_AQSlGgw1I7d7HjEU_oMPbevFYOhsPMKZsbZ2ae8Z4D8hlWmESDOeoJILU_I6zH_rKCBf0VmJbCTvMWplqR6wtF"
    "SSNJ0RXP_e3-TcWn0qJYolEKX5_5IA87F5iUqt-rU3M8Hpn6ERV--EGFK6NkI49zK_9Hqq44wbk7gX0qG5J1r-7amyodGF3g"
    "zOGx8aD0vDWPcBUMbo278yZXSkMPDKjvdSu2wPAjepdKC8l4rX4PJS8PQ4o3UJrXusxqkDmGQ\",\"e\":\"AQAB\",\"alg\":\"RS2"
    "56\",\"kid\":\"r\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"1f2UnU9Igq46l57H3WMORssoDlOe-AQbulghRqqhpVw\",\"y\":\""
    "ZCjp-1_0NVwzCan7xaRKV4jc61mo0LWmM_YnI6_lFhc\",\"alg\":\"ES256\",\"kid\":\"e\"}]}";
/* clang-format on */

#endif
