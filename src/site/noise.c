/* Noise and sampling of differentially private steps. */
#include "noise.h"

#include <math.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "compute/elementary.h"
#include "secret.h"

#define WORDS_OF_BLOCK 8 /* words of 64 bits in a block of ChaCha20 */
#define AT_ONCE 512      /* words that are drawn at once; whole blocks */

struct dt_noise {
    uint8_t secret[DT_NOISE_SECRET];
    uint8_t sampling[crypto_stream_chacha20_KEYBYTES], noise[crypto_stream_chacha20_KEYBYTES]; /* of the step */
};

dt_status dt_noise_open(dt_noise **out) {
    void *memory;
    *out = NULL;
    DT_TRY(dt_secret_alloc(&memory, sizeof **out));
    *out = memory;
    memset(*out, 0, sizeof **out);
    return dt_ok();
}

void dt_noise_close(dt_noise *noise) {
    dt_secret_free(noise);
}

uint8_t *dt_noise_secret(dt_noise *noise) {
    return noise->secret;
}

void dt_noise_take_key(dt_noise *noise, const dt_site_key *key) {
    dt_site_key_secret(key, "privacy1", noise->secret);
}

/* BLAKE2b with a key (none: 0 bytes) of a text and what follows it. */
static void hash(uint8_t *out, size_t size, const uint8_t *key, size_t key_bytes, const char *text, const void *more,
                 size_t bytes) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, key_bytes, size);
    crypto_generichash_update(&state, (const uint8_t *)text, strlen(text) + 1);
    crypto_generichash_update(&state, more, bytes);
    crypto_generichash_final(&state, out, size);
    sodium_memzero(&state, sizeof state);
}

void dt_noise_take_seed(dt_noise *noise, int64_t seed) {
    hash(noise->secret, sizeof noise->secret, NULL, 0, "dtrain rehearsal of privacy, format 1", &seed, sizeof seed);
}

void dt_noise_name(const dt_noise *noise, uint8_t name[DT_NOISE_NAME]) {
    hash(name, DT_NOISE_NAME, noise->secret, sizeof noise->secret, "name", NULL, 0);
}

uint64_t dt_noise_hide(const dt_noise *noise, uint64_t number) {
    uint8_t bytes[crypto_generichash_BYTES_MIN];
    uint64_t hidden;
    hash(bytes, sizeof bytes, noise->secret, sizeof noise->secret, "hide", &number, sizeof number);
    memcpy(&hidden, bytes, sizeof hidden);
    return hidden;
}

void dt_noise_begin(dt_noise *noise, int64_t step, const void *about, size_t about_bytes, const void *weights,
                    size_t weight_bytes) {
    const int64_t sizes[] = {step, (int64_t)about_bytes, (int64_t)weight_bytes};
    uint8_t root[crypto_generichash_BYTES];
    crypto_generichash_state state;
    crypto_generichash_init(&state, noise->secret, sizeof noise->secret, sizeof root);
    crypto_generichash_update(&state, (const uint8_t *)"step", 5);
    crypto_generichash_update(&state, (const uint8_t *)sizes, sizeof sizes);
    crypto_generichash_update(&state, about, about_bytes);
    crypto_generichash_update(&state, weights, weight_bytes);
    crypto_generichash_final(&state, root, sizeof root);
    hash(noise->sampling, sizeof noise->sampling, root, sizeof root, "sampling", NULL, 0);
    hash(noise->noise, sizeof noise->noise, root, sizeof root, "noise", NULL, 0);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(root, sizeof root);
}

/* Words [first, first + count) of a step's stream, first a multiple of WORDS_OF_BLOCK. A key has one stream. */
static void draw(uint64_t *words, uint64_t first, size_t count, const uint8_t *key) {
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    memset(words, 0, count * sizeof *words);
    crypto_stream_chacha20_xor_ic((uint8_t *)words, (const uint8_t *)words, count * sizeof *words, nonce,
                                  first / WORDS_OF_BLOCK, key);
}

int64_t dt_noise_choose(const dt_noise *noise, double rate, int64_t samples, int64_t *chosen, int64_t room) {
    const bool all = rate >= 1;
    const uint64_t below = all ? 0 : (uint64_t)ldexp(rate, 64);
    uint64_t words[AT_ONCE];
    int64_t found = 0;
    for (int64_t first = 0; first < samples; first += AT_ONCE) {
        int64_t count = samples - first < AT_ONCE ? samples - first : AT_ONCE;
        draw(words, (uint64_t)first, AT_ONCE, noise->sampling);
        for (int64_t i = 0; i < count; i++) {
            if (!all && words[i] >= below) continue;
            if (found < room) chosen[found] = first + i;
            found++;
        }
    }
    sodium_memzero(words, sizeof words);
    return found;
}

/* ---- the quantile function of the normal distribution: Wichura 1988, algorithm AS 241, PPND16, to about 1e-16 ---- */

static const double centre_p[8] = {2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4,
                                   4.5921953931549871457e+4, 1.3731693765509461125e+4, 1.9715909503065514427e+3,
                                   1.3314166789178437745e+2, 3.3871328727963666080e+0};
static const double centre_q[8] = {
    5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4, 2.1213794301586595867e+4,
    5.3941960214247511077e+3, 6.8718700749205790830e+2, 4.2313330701600911252e+1, 1};
static const double near_p[8] = {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                                 1.27045825245236838258e+0, 3.64784832476320460504e+0, 5.76949722146069140550e+0,
                                 4.63033784615654529590e+0, 1.42343711074968357734e+0};
static const double near_q[8] = {
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e+0, 2.05319162663775882187e+0, 1};
static const double far_p[8] = {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                                2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e+0,
                                5.46378491116411436990e+0, 6.65790464350110377720e+0};
static const double far_q[8] = {
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
    1.48753612908506148525e-2,  1.36929880922735805310e-1, 5.99832206555887937690e-1, 1};

static double ratio(const double p[8], const double q[8], double r) {
    double above = p[0], below = q[0];
    for (int i = 1; i < 8; i++) {
        above = above * r + p[i];
        below = below * r + q[i];
    }
    return above / below;
}

/* Every operation is IEEE's or written out, so the bits are the same on every machine. */
double dt_noise_normal(uint64_t word) {
    const bool upper = word >> 63;
    const uint64_t from_middle = upper ? word - (UINT64_C(1) << 63) : ~word - (UINT64_C(1) << 63);
    const double q = ((double)from_middle + 0.5) * 0x1p-64;
    double x;
    if (q <= 0.425) {
        x = q * ratio(centre_p, centre_q, 0.180625 - q * q);
    } else {
        const double tail = ((double)((UINT64_C(1) << 63) - 1 - from_middle) + 0.5) * 0x1p-64,
                     r = sqrt(-log_double(tail));
        x = r <= 5 ? ratio(near_p, near_q, r - 1.6) : ratio(far_p, far_q, r - 5);
    }
    return upper ? x : -x;
}

void dt_noise_add(const dt_noise *noise, double deviation, int32_t *words, size_t begin, size_t count) {
    uint64_t drawn[AT_ONCE];
    if (deviation == 0) return;
    for (size_t at = begin / AT_ONCE * AT_ONCE; at < begin + count; at += AT_ONCE) {
        size_t from = at > begin ? at : begin, to = at + AT_ONCE < begin + count ? at + AT_ONCE : begin + count;
        draw(drawn, at, AT_ONCE, noise->noise);
        for (size_t i = from; i < to; i++) {
            int64_t added = (int64_t)rint(dt_noise_normal(drawn[i - at]) * deviation);
            words[i - begin] = (int32_t)((uint32_t)words[i - begin] + (uint32_t)added);
        }
    }
    sodium_memzero(drawn, sizeof drawn);
}
