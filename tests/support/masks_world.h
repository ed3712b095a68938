/* Sites that sum under masks, all in one process, and every message they send. */
#ifndef DTRAIN_TESTS_MASKS_WORLD_H
#define DTRAIN_TESTS_MASKS_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "reference.h"
#include "site/masks_internal.h"
#include "suite.h"

enum { SITES = 10 };

static const char *const names[SITES] = {"north", "east", "south", "west", "hill",
                                         "lake",  "wood", "moor",  "cape", "glen"};

/* A world of sites, and all messages they ever sent. */
typedef struct world {
    int sites, threshold;
    size_t count;
    dt_masks_round round[SITES];
    uint8_t identities[SITES][32], secret[SITES][DT_MASKS_SECRET];
    bool takes_part[SITES];
    uint32_t *words[SITES];
    uint64_t weight[SITES];
    dt_masks *masks[SITES];
    void *sent[DT_MASKS_PHASES][SITES]; /* NULL where it was lost before */
    size_t length[DT_MASKS_PHASES][SITES];
} world;

static inline uint32_t word(uint64_t row, uint64_t i) {
    return (uint32_t)(int32_t)(ref_uniform(row, i) * 100000);
}

static inline void begin_site(world *w, int i) {
    assert_ok(dt_masks_open(&w->round[i], w->secret[i], w->words[i], w->weight[i], &w->masks[i]));
}

/* Who they are and what they sum, before they begin. */
static inline void describe_world(world *w, int sites, int threshold, size_t count) {
    *w = (world){.sites = sites, .threshold = threshold, .count = count};
    for (int i = 0; i < sites; i++) {
        memset(w->identities[i], 'a' + i, 32);
        memset(w->secret[i], 'A' + i, DT_MASKS_SECRET);
        w->takes_part[i] = true;
        w->words[i] = calloc(count, sizeof **w->words);
        for (size_t k = 0; k < count; k++) w->words[i][k] = word((uint64_t)i, k);
        w->weight[i] = 0x123456789abcULL * (uint64_t)(i + 1);
        w->round[i] = (dt_masks_round){.recipe = 1,
                                       .common = 2,
                                       .number = 3,
                                       .sites = sites,
                                       .me = i,
                                       .threshold = threshold,
                                       .count = count,
                                       .takes_part = w->takes_part,
                                       .identities = (const uint8_t(*)[32])w->identities,
                                       .names = names};
    }
}

static inline void begin_world(world *w, int sites, int threshold, size_t count) {
    describe_world(w, sites, threshold, count);
    for (int i = 0; i < sites; i++) begin_site(w, i);
}

static inline void end_world(world *w) {
    for (int i = 0; i < w->sites; i++) {
        dt_masks_close(w->masks[i]);
        free(w->words[i]);
        for (int phase = 0; phase < DT_MASKS_PHASES; phase++) free(w->sent[phase][i]);
    }
}

/* A copy of what site i says in its phase. */
static inline void send(world *w, int i) {
    int phase = (int)dt_masks_now(w->masks[i]);
    const void *bytes;
    size_t length;
    assert_ok(dt_masks_say(w->masks[i], &bytes, &length));
    free(w->sent[phase][i]);
    w->sent[phase][i] = malloc(length);
    memcpy(w->sent[phase][i], bytes, length);
    w->length[phase][i] = length;
}

/* Site i reads what was sent in its phase. */
static inline void listen(world *w, int i) {
    int phase = (int)dt_masks_now(w->masks[i]);
    for (int k = 0; k < w->sites; k++)
        if (w->sent[phase][k]) assert_ok(dt_masks_hear(w->masks[i], k, w->sent[phase][k], w->length[phase][k]));
}

/* All sites before phase lost[i] of theirs send, and all read; then they agree, if they can. */
static inline dt_status one_phase(world *w, int phase, const int *lost) {
    bool set[SITES] = {false};
    int signers = 0;
    dt_status status = dt_ok();
    for (int i = 0; i < w->sites; i++)
        if (lost[i] > phase) send(w, i);
    for (int i = 0; i < w->sites; i++) set[i] = w->sent[phase][i] != NULL, signers += set[i];
    for (int i = 0; i < w->sites; i++) {
        listen(w, i);
        if (phase == DT_MASKS_OPEN) continue;
        dt_status one = dt_masks_agree(w->masks[i], set, signers);
        ck_assert(i == 0 || one.code == status.code);
        status = one;
    }
    return status;
}

/* The sum as site i has it; all vectors there are were agreed on. */
static inline dt_status sum_of(world *w, int i, uint32_t *sum, uint64_t *weight) {
    for (int k = 0; k < w->sites; k++)
        if (w->sent[DT_MASKS_VECTOR][k] && !w->masks[i]->site[k].added)
            DT_TRY(dt_masks_add(w->masks[i], k, w->sent[DT_MASKS_VECTOR][k], w->length[DT_MASKS_VECTOR][k]));
    return dt_masks_finish(w->masks[i], sum, weight);
}

/* The phase a site is lost before. */
static const int nobody[SITES] = {DT_MASKS_PHASES, DT_MASKS_PHASES, DT_MASKS_PHASES, DT_MASKS_PHASES, DT_MASKS_PHASES,
                                  DT_MASKS_PHASES, DT_MASKS_PHASES, DT_MASKS_PHASES, DT_MASKS_PHASES, DT_MASKS_PHASES};

static inline void run_until(world *w, int phase, const int *lost) {
    for (int p = 0; p < phase; p++) assert_ok(one_phase(w, p, lost));
}

#endif
