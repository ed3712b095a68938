/* Streams of random numbers. A stream's key is itself a Philox4x64 block of (seed, purpose, a, b), so streams that
 * differ in any of the four are independent; the draws are Philox4x32 blocks, whose narrower words vectorise. */
#include "base/random.h"

#include <Random123/philox.h>
#include <math.h>

#include "base/transcendental.h"

dt_stream dt_stream_at(uint64_t seed, dt_purpose purpose, uint64_t a, uint64_t b) {
    philox4x64_ctr_t counter = {{a, b, 0, 0}};
    philox4x64_key_t key = {{seed, (uint64_t)purpose}};
    philox4x64_ctr_t block = philox4x64(counter, key);
    return (dt_stream){{(uint32_t)block.v[0], (uint32_t)(block.v[0] >> 32)}};
}

void dt_stream_block(uint32_t out[4], dt_stream stream, uint64_t sample, uint64_t block) {
    philox4x32_ctr_t counter = {{(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)sample, (uint32_t)(sample >> 32)}};
    philox4x32_key_t key = {{stream.key[0], stream.key[1]}};
    philox4x32_ctr_t words = philox4x32(counter, key);
    for (int i = 0; i < 4; i++) out[i] = words.v[i];
}

void dt_stream_normal4(double out[4], dt_stream stream, uint64_t sample, uint64_t block) {
    uint32_t words[4];
    dt_stream_block(words, stream, sample, block);
    for (int i = 0; i < 4; i += 2) {
        double radius = sqrt(-2.0 * dt_log(((double)words[i] + 1.0) * 0x1p-32)), cosine, sine;
        dt_turn((double)words[i + 1] * 0x1p-32, &cosine, &sine);
        out[i] = radius * cosine;
        out[i + 1] = radius * sine;
    }
}
