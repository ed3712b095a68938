/* What chance does in a differentially private step, from a secret: which samples are in the batch, and the noise on
 * the sum of their gradients. Both are kept secret alike, for who knows the batches has no use for the probability of
 * being in one.
 *
 * A step's draws are ChaCha20 keyed with BLAKE2b of the secret, the step's number and everything its sum follows from:
 * the weights, and what the caller says of model, data and clipping. So the same step computed again, after a crash or
 * on other ranks, is the same to the bit and tells nothing new; and no two different sums ever get the same noise,
 * whatever checkpoint a run goes on from, and with whatever recipe.
 *
 * The sum is an integer, and so is what is added: a Gaussian rounded to the nearest. As rounding a sum of an integer
 * and a Gaussian is adding the rounded Gaussian, the mechanism is exactly the Gaussian one with what comes out rounded,
 * and its accounting holds as it is. Floating-point noise gives away by the bits of its results what it was added to
 * (Mironov 2012, Holohan and Braghin 2021); here every integer around comes out for whatever sum. */
#ifndef DTRAIN_SITE_NOISE_H
#define DTRAIN_SITE_NOISE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "site/key.h"

#define DT_NOISE_SECRET 32
#define DT_NOISE_NAME 16
#define DT_NOISE_MOST 10.0 /* standard deviations that no draw is beyond, with its rounding */

typedef struct dt_noise dt_noise; /* in memory as secret.h has it */

/* Of no secret yet. To be closed. */
dt_status dt_noise_open(dt_noise **out);
void dt_noise_close(dt_noise *noise); /* accepts NULL */
/* [DT_NOISE_SECRET], to be handed to other ranks of the run, and to nobody else. */
uint8_t *dt_noise_secret(dt_noise *noise);
/* The secret is one that follows from a key, or, for rehearsals, from a number that everybody may know. */
void dt_noise_take_key(dt_noise *noise, const dt_site_key *key);
void dt_noise_take_seed(dt_noise *noise, int64_t seed);
/* Tells secrets apart, and tells nothing else of them. */
void dt_noise_name(const dt_noise *noise, uint8_t name[DT_NOISE_NAME]);

/* A number that is the same for the same one, and from which nobody finds it who has not the secret. */
uint64_t dt_noise_hide(const dt_noise *noise, uint64_t number);

/* Draws are those of this step from now on: `about` says what its sum follows from besides the weights. */
void dt_noise_begin(dt_noise *noise, int64_t step, const void *about, size_t about_bytes, const void *weights,
                    size_t weight_bytes);
/* Which of so many samples are in the batch, each by itself with probability `rate`: into chosen[room], in ascending
 * order. Returns how many there are, which may be more than there is room for. */
int64_t dt_noise_choose(const dt_noise *noise, double rate, int64_t samples, int64_t *chosen, int64_t room);
/* words[i] += a normal draw of this standard deviation, rounded, for elements begin + i; modulo 2^32. From any thread.
 */
void dt_noise_add(const dt_noise *noise, double deviation, int32_t *words, size_t begin, size_t count);

/* The normal number below which a draw falls with probability (word + 1/2)/2^64. Not beyond 9.3. */
double dt_noise_normal(uint64_t word);

#endif
