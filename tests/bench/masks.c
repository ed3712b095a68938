/* What masks cost: a round of SITES sites whose change has WORDS words, all that one of them computes, beside what
 * libsodium takes for the bare streams (the same bytes, in blocks that fit the cache, added to nothing). Alternating
 * pairs, processor time; it prints and never fails.
 *   build/tests/bench_masks [SITES [WORDS [ROUNDS]]]             10, 1000000, 20 */
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#include "masks_world.h"

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

static void must(dt_status status) {
    if (status.code == DT_OK) return;
    fprintf(stderr, "%s\n", status.message);
    exit(1);
}

/* All messages of a phase to all sites, and what site 0 has to do for its part, in seconds. */
static double one_phase_of_first(world *w, int phase) {
    bool set[SITES];
    double begin, mine = 0;
    for (int i = 0; i < w->sites; i++) {
        const void *bytes;
        begin = now();
        must(dt_masks_say(w->masks[i], &bytes, &w->length[phase][i]));
        if (i == 0) mine = now() - begin;
        w->sent[phase][i] = malloc(w->length[phase][i]);
        memcpy(w->sent[phase][i], bytes, w->length[phase][i]);
        set[i] = true;
    }
    for (int i = 0; i < w->sites; i++) {
        begin = now();
        for (int k = 0; k < w->sites; k++) must(dt_masks_hear(w->masks[i], k, w->sent[phase][k], w->length[phase][k]));
        if (phase < DT_MASKS_OPEN) must(dt_masks_agree(w->masks[i], set, w->sites));
        if (i == 0) mine += now() - begin;
    }
    return mine;
}

typedef struct cost {
    double open, phase[DT_MASKS_PHASES], add, finish;
} cost;

static double one_round(int sites, size_t words, cost *sum) {
    world w;
    uint64_t weight;
    uint32_t *total = malloc(words * sizeof *total);
    describe_world(&w, sites, 0, words);
    double all = 0, begin = 0, took;
    for (int i = 0; i < sites; i++) {
        begin = now();
        must(dt_masks_open(&w.round[i], w.secret[i], w.words[i], w.weight[i], &w.masks[i]));
        took = now() - begin;
        if (i == 0) sum->open += took, all += took;
    }
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) {
        took = one_phase_of_first(&w, phase);
        sum->phase[phase] += took, all += took;
    }
    begin = now();
    for (int k = 0; k < sites; k++)
        must(dt_masks_add(w.masks[0], k, w.sent[DT_MASKS_VECTOR][k], w.length[DT_MASKS_VECTOR][k]));
    took = now() - begin;
    sum->add += took, all += took;
    begin = now();
    must(dt_masks_finish(w.masks[0], total, &weight));
    took = now() - begin;
    sum->finish += took, all += took;
    end_world(&w);
    free(total);
    return all;
}

/* The streams of one site: `sites` to mask, as many to take off. */
static double bare(int sites, size_t words) {
    static uint8_t block[DT_STREAM_WORDS * 4], key[32], nonce[12];
    double begin = now();
    for (int s = 0; s < 2 * sites; s++) {
        key[0] = (uint8_t)s;
        for (size_t at = 0; at < words; at += DT_STREAM_WORDS) {
            size_t length = words - at < DT_STREAM_WORDS ? words - at : DT_STREAM_WORDS;
            crypto_stream_chacha20_ietf_xor_ic(block, block, 4 * length, nonce, (uint32_t)(at / 16), key);
        }
    }
    return now() - begin;
}

int main(int argc, char **argv) {
    int sites = argc > 1 ? atoi(argv[1]) : 10, rounds = argc > 3 ? atoi(argv[3]) : 20;
    size_t words = argc > 2 ? (size_t)atoll(argv[2]) : 1000000;
    if (sites < 3 || sites > SITES || words < 1 || rounds < 1) return 2;
    cost sum = {0};
    double ours = 0, theirs = 0;
    for (int i = 0; i < rounds; i++) {
        theirs += bare(sites, words);
        ours += one_round(sites, words, &sum);
    }
    double ms = 1000.0 / rounds;
    printf("%d sites, %zu words, mean of %d rounds, ms of processor time of one site:\n", sites, words, rounds);
    printf("  hash of the change, keys %.2f; messages: keys %.2f, shares %.2f, vector %.2f, open %.2f; sum %.2f; masks "
           "off "
           "%.2f\n",
           sum.open * ms, sum.phase[0] * ms, sum.phase[1] * ms, sum.phase[2] * ms, sum.phase[3] * ms, sum.add * ms,
           sum.finish * ms);
    printf("  all %.2f, of which libsodium's bare streams would take %.2f: ratio %.2f\n", ours * ms, theirs * ms,
           ours / theirs);
    return 0;
}
