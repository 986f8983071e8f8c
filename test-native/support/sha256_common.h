/*
 * SHA-256 (FIPS 180-4), so that test programs need no library to compare bytes.
 * Thread: any; each state has one user.
 */
#ifndef SFD_TEST_SHA256_H
#define SFD_TEST_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_HEX_SIZE 65 /* 64 digits and a NUL */

struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *bytes, size_t size);

/* Ends the computation; the state is used up. */
void sha256_finish(struct sha256 *sha, char hex[SHA256_HEX_SIZE]);

#endif
