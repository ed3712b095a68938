/* How a batch is cut: into shards, and these into pieces that are computed at once. What a plan needs to know of it is
 * the largest piece, which says how much memory there must be, and the smallest, in which a batch normalisation must
 * still find more than one value. A batch of more samples than there are is all of them. */
#include "pieces.h"

#include <stdio.h>

#include "base/append.h"

static int64_t less(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t dt_rows_at_once(const dt_recipe *recipe, int64_t shards, int64_t samples) {
    int64_t shard = (less(recipe->train.batch, samples) + shards - 1) / shards;
    return recipe->train.micro_batch > 0 ? less(recipe->train.micro_batch, shard) : shard;
}

/* The last piece of a shard of `rows` samples, which is the smallest. */
static int64_t last_piece(int64_t rows, int64_t micro_batch) {
    return micro_batch > 0 && rows % micro_batch > 0 ? rows % micro_batch
           : micro_batch > 0                         ? less(micro_batch, rows)
                                                     : rows;
}

/* The smallest piece of a batch of `rows`: its shards differ by one, and those without a sample are not computed. */
static int64_t least_of_batch(int64_t rows, int64_t shards, int64_t micro_batch) {
    int64_t base = rows / shards, larger = rows % shards > 0 ? last_piece(base + 1, micro_batch) : INT64_MAX;
    return less(base > 0 ? last_piece(base, micro_batch) : INT64_MAX, larger);
}

/* The smallest piece of an epoch. */
static int64_t least_rows(int64_t batch, int64_t shards, int64_t micro_batch, int64_t samples) {
    int64_t whole = less(batch, samples), rest = samples % whole;
    int64_t least = least_of_batch(whole, shards, micro_batch);
    return rest > 0 ? less(least, least_of_batch(rest, shards, micro_batch)) : least;
}

/* Near values of train.batch and train.shards with which no piece is a single sample. */
static void suggest(const dt_recipe *recipe, int64_t shards, int64_t samples, char *out, size_t size) {
    const int64_t batch = recipe->train.batch, micro = recipe->train.micro_batch;
    int64_t larger = batch < samples ? batch + 1 : samples, fewer = shards - 1;
    for (int tries = 0; larger < samples && tries < 100000 && least_rows(larger, shards, micro, samples) < 2; tries++)
        larger++;
    while (fewer > 0 && least_rows(batch, fewer, micro, samples) < 2) fewer--;
    out[0] = '\0';
    if (least_rows(larger, shards, micro, samples) >= 2) dt_append(out, size, "train.batch=%lld", (long long)larger);
    if (fewer > 0) dt_append(out, size, "%strain.shards=%lld", out[0] ? " or " : "", (long long)fewer);
    if (micro == 1) dt_append(out, size, "%strain.micro_batch=0", out[0] ? " or " : "");
    if (!out[0]) dt_append(out, size, "another train.batch");
}

void dt_pieces_describe(const dt_recipe *recipe, int64_t shards, int64_t samples, dt_pieces *out) {
    const int64_t batch = less(recipe->train.batch, samples), micro = recipe->train.micro_batch;
    out->least = least_rows(batch, shards, micro, samples);
    out->where[0] = out->remedy[0] = '\0';
    if (out->least > 1) return;
    bool rest = least_of_batch(batch, shards, micro) > 1;
    suggest(recipe, shards, samples, out->remedy, sizeof out->remedy);
    if (rest)
        dt_append(out->where, sizeof out->where, "the last batch of an epoch, %lld of %lld samples,",
                  (long long)(samples % batch), (long long)samples);
    else
        dt_append(out->where, sizeof out->where, "a batch of %lld samples", (long long)batch);
    dt_append(out->where, sizeof out->where, " in %lld shards%s has a piece of 1 sample", (long long)shards,
              micro > 0 ? ", cut by train.micro_batch," : "");
}
