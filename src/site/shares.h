/* A secret in shares, of which any `threshold` give it back and fewer say nothing (Shamir 1979).
 *
 * Byte by byte over GF(2^8) with AES's polynomial x^8+x^4+x^3+x+1 (FIPS 197, 4.2): the secret's byte is the constant
 * of a polynomial of degree threshold-1, whose other coefficients are the bytes of as many random strings, and the
 * share of holder x is its value at x. The field has 255 places other than 0, so a secret has 255 holders at most.
 * Products are made of shifts and masks: no branch, no table and no address depends on a secret. */
#ifndef DTRAIN_SHARES_H
#define DTRAIN_SHARES_H

#include <stdint.h>

enum { DT_SECRET = 32 /* bytes of a secret, and of a share */, DT_HOLDERS = 255 };

/* a·b in GF(2^8). */
uint8_t dt_field_product(uint8_t a, uint8_t b);

/* The share of `holder`, from 1 to DT_HOLDERS, of `secret`; the coefficients of x, x^2, … are
 * coefficients[threshold-1], each as long as the secret, secret like it, random, and the same for all holders. */
void dt_shares_deal(const uint8_t secret[DT_SECRET], const uint8_t (*coefficients)[DT_SECRET], int threshold,
                    int holder, uint8_t share[DT_SECRET]);

/* The secret from `threshold` shares of holders that all differ. Other shares, or too few of them, give something else:
 * whether it is the secret is for the caller to know. */
void dt_shares_join(const uint8_t (*shares)[DT_SECRET], const int *holders, int threshold, uint8_t secret[DT_SECRET]);

#endif
