#include "shares.h"

#include <string.h>

uint8_t dt_field_product(uint8_t a, uint8_t b) {
    unsigned sum = 0, factor = a, rest = b;
    for (int bit = 0; bit < 8; bit++) {
        sum ^= factor & (0U - (rest & 1U));
        factor = (factor << 1) ^ (0x11bU & (0U - (factor >> 7)));
        rest >>= 1;
    }
    return (uint8_t)sum;
}

/* a^254, which is 1/a. Of holders, which are no secret. */
static uint8_t inverse(uint8_t a) {
    uint8_t power = 1;
    for (int bit = 7; bit >= 0; bit--) {
        power = dt_field_product(power, power);
        if (254 >> bit & 1) power = dt_field_product(power, a);
    }
    return power;
}

void dt_shares_deal(const uint8_t secret[DT_SECRET], const uint8_t (*coefficients)[DT_SECRET], int threshold,
                    int holder, uint8_t share[DT_SECRET]) {
    memset(share, 0, DT_SECRET);
    for (int k = threshold - 1; k >= 0; k--) { /* Horner's rule */
        const uint8_t *coefficient = k > 0 ? coefficients[k - 1] : secret;
        for (int i = 0; i < DT_SECRET; i++) share[i] = dt_field_product(share[i], (uint8_t)holder) ^ coefficient[i];
    }
}

void dt_shares_join(const uint8_t (*shares)[DT_SECRET], const int *holders, int threshold, uint8_t secret[DT_SECRET]) {
    memset(secret, 0, DT_SECRET);
    for (int j = 0; j < threshold; j++) { /* Lagrange's polynomials at 0, where minus is plus */
        uint8_t weight = 1;
        for (int k = 0; k < threshold; k++) {
            if (k == j) continue;
            uint8_t apart = inverse((uint8_t)(holders[k] ^ holders[j]));
            weight = dt_field_product(weight, dt_field_product((uint8_t)holders[k], apart));
        }
        for (int i = 0; i < DT_SECRET; i++) secret[i] ^= dt_field_product(weight, shares[j][i]);
    }
}
