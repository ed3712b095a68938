/* A trained state to publish and load: every value follows from (step, dataset, index), so a state read back tells by
 * itself whether it is that of one step, whole, or a mixture. */
#ifndef DTRAIN_TESTS_SAMPLE_H
#define DTRAIN_TESTS_SAMPLE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/checkpoint.h"

typedef enum sample_size {
    SAMPLE_ODD,     /* tensors with fewer elements than ranks, a scalar, odd counts */
    SAMPLE_NETWORK, /* 784-128-10: about 100 thousand parameters */
    SAMPLE_LARGE,   /* one tensor large enough to be written by all ranks together */
} sample_size;

enum { SAMPLE_SECTIONS = 3, SAMPLE_EXTRAS = 2, SAMPLE_WORDS = 5, SAMPLE_BESIDE = 3 };

typedef struct sample {
    dt_table table;
    dt_section sections[SAMPLE_SECTIONS];
    dt_extra extras[SAMPLE_EXTRAS];
    int32_t exponents[16];
    int64_t tally[SAMPLE_WORDS];
    dt_beside beside;
    int64_t sums[SAMPLE_BESIDE];
    char recipe[64];
    dt_state state;
} sample;

static uint64_t sample_mix(uint64_t x) { /* splitmix64, Steele et al. 2014 */
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* Any bits: signalling NaNs, infinities and subnormals are state like everything else. */
static void sample_fill(void *data, size_t bytes, int64_t step, int array) {
    for (size_t i = 0; i < bytes; i += 4) {
        uint64_t word = sample_mix((uint64_t)step << 40 ^ (uint64_t)array << 32 ^ i);
        memcpy((char *)data + i, &word, 4);
    }
}

static void sample_add(sample *s, const char *name, int rank, int64_t a, int64_t b, int64_t c) {
    dt_shape shape = {rank, {a, b, c}};
    if (dt_table_add(&s->table, name, &shape, 0).code != DT_OK) abort();
}

static void sample_tensors(sample *s, sample_size size) {
    switch (size) {
    case SAMPLE_ODD:
        sample_add(s, "dense1/w", 2, 7, 5, 0);
        sample_add(s, "dense1/b", 1, 5, 0, 0);
        sample_add(s, "temperature", 0, 0, 0, 0);
        sample_add(s, "block/inner/kernel", 3, 1, 3, 11);
        sample_add(s, "dense2/b", 1, 1, 0, 0);
        break;
    case SAMPLE_NETWORK:
        sample_add(s, "dense1/w", 2, 784, 128, 0);
        sample_add(s, "dense1/b", 1, 128, 0, 0);
        sample_add(s, "dense2/w", 2, 128, 10, 0);
        sample_add(s, "dense2/b", 1, 10, 0, 0);
        break;
    case SAMPLE_LARGE:
        sample_add(s, "embedding/w", 2, 1031, 1100, 0);
        sample_add(s, "embedding/b", 1, 3, 0, 0);
        break;
    }
}

/* Gives every value that of `step`. */
static void sample_set(sample *s, int64_t step) {
    s->state.position = (dt_position){.step = step, .epoch = step / 10, .sample = step % 10 * 64};
    for (int i = 0; i < SAMPLE_SECTIONS; i++)
        for (int j = 0; j < s->table.count; j++) {
            const dt_tensor *tensor = &s->table.tensors[j];
            sample_fill(s->sections[i].data + tensor->offset, tensor->count * sizeof(float), step, 64 * i + j);
        }
    sample_fill(s->exponents, sizeof s->exponents, step, 1000);
    sample_fill(s->tally, sizeof s->tally, step, 1001);
    sample_fill(s->sums, sizeof s->sums, step, 1002);
}

static void sample_init(sample *s, sample_size size, int64_t step) {
    static const char *const groups[SAMPLE_SECTIONS] = {"/weights", "/optimizer/m", "/optimizer/v"};
    memset(s, 0, sizeof *s);
    sample_tensors(s, size);
    for (int i = 0; i < SAMPLE_SECTIONS; i++) {
        s->sections[i] = (dt_section){groups[i], &s->table, dt_alloc(s->table.total, sizeof(float))};
        if (!s->sections[i].data) abort();
    }
    s->extras[0] = (dt_extra){"/wire/exponents", DT_I32, s->table.count, s->exponents};
    s->extras[1] = (dt_extra){"tally", DT_I64, SAMPLE_WORDS, s->tally};
    s->beside.array = (dt_extra){"sums", DT_I64, SAMPLE_BESIDE, s->sums};
    snprintf(s->recipe, sizeof s->recipe, "name: sample\ntrain: {shards: 8}\n");
    s->state = (dt_state){.shards = 8,
                          .seed = 42,
                          .recipe = s->recipe,
                          .sections = s->sections,
                          .section_count = SAMPLE_SECTIONS,
                          .extras = s->extras,
                          .extra_count = SAMPLE_EXTRAS,
                          .beside = &s->beside,
                          .beside_count = 1};
    sample_set(s, step);
}

static void sample_finish(sample *s) {
    for (int i = 0; i < SAMPLE_SECTIONS; i++) dt_free(s->sections[i].data);
    dt_table_finish(&s->table);
}

/* Whether the state in memory is that of the step it claims, in every bit. */
static int sample_is_whole(const sample *s, sample_size size) {
    sample other;
    sample_init(&other, size, s->state.position.step);
    int whole = dt_state_digest(&s->state) == dt_state_digest(&other.state);
    whole = whole && memcmp(s->sums, other.sums, sizeof s->sums) == 0;
    for (int i = 0; i < SAMPLE_SECTIONS; i++)
        whole = whole && memcmp(s->sections[i].data, other.sections[i].data, s->table.total * sizeof(float)) == 0;
    sample_finish(&other);
    return whole;
}

#endif
