/* The order of an epoch's samples, as a recipe asks for it. */
#include "source_kind.h"

#define BLOCK_BYTES (4 << 20) /* of a block of samples, where the recipe does not say how many they are */

/* The largest power of two that they hold, so that blocks begin where chunks of a file do. It follows from what samples
 * are, and not from how a file stores them. */
static int64_t block_samples(int64_t sample_bytes) {
    int64_t samples = 1;
    while (2 * samples * sample_bytes <= BLOCK_BYTES) samples *= 2;
    return samples;
}

dt_sampler dt_order_of(const dt_recipe_data *data, int64_t samples, int64_t sample_bytes, int64_t seed, int64_t epoch) {
    if (data->shuffle != DT_SHUFFLE_BLOCK)
        return dt_sampler_at(samples, data->shuffle == DT_SHUFFLE_GLOBAL, seed, epoch);
    int64_t block = data->shuffle_block > 0 ? data->shuffle_block : block_samples(sample_bytes);
    return dt_sampler_by_blocks(samples, block, data->shuffle_window, seed, epoch);
}
