/* Messages of secure aggregation from a site whose signature holds and that says what it likes. An input's first byte
 * says in which phase, its second what is cut off or comes behind, the others which bytes are changed, three each: two
 * where, one how. What another site takes goes on to the end of the round. A share that it takes is the one that was
 * dealt. */
#include "fuzz.h"

#include "base/log.h"
#include "masks_world.h"

enum { MEMBERS = 3, COUNT_OF_WORDS = 5, LIAR = 1 };

static void must(dt_status status) {
    if (status.code != DT_OK) abort();
}

static void say_it(world *w, int i, int phase) {
    const void *bytes;
    must(dt_masks_say(w->masks[i], &bytes, &w->length[phase][i]));
    free(w->sent[phase][i]);
    w->sent[phase][i] = malloc(w->length[phase][i]);
    if (!w->sent[phase][i]) abort();
    memcpy(w->sent[phase][i], bytes, w->length[phase][i]);
}

/* What the liar sends in the place of its message. Whether it is another. */
static bool change(world *w, int phase, const uint8_t *data, size_t size) {
    size_t length = w->length[phase][LIAR], more = size > 1 && data[1] < 128 ? data[1] : 0;
    size_t less = size > 1 && data[1] >= 128 ? 256U - data[1] : 0,
           changed = length + more - (less < length ? less : length);
    uint8_t *was = w->sent[phase][LIAR], *now = calloc(changed ? changed : 1, 1);
    if (!now) abort();
    memcpy(now, was, changed < length ? changed : length);
    for (size_t i = 2; i + 2 < size && changed; i += 3) now[(data[i] | data[i + 1] << 8) % changed] ^= data[i + 2];
    bool other = changed != length || memcmp(now, was, length) != 0;
    free(was);
    w->sent[phase][LIAR] = now;
    w->length[phase][LIAR] = changed;
    return other;
}

/* All hear all, and the two others as much as they are willing to; what they take is agreed on. */
static bool one_phase_of(world *w, int phase, int lied, const uint8_t *data, size_t size) {
    const bool all[SITES] = {true, true, true};
    for (int i = 0; i < MEMBERS; i++) say_it(w, i, phase);
    bool other = phase == lied && change(w, phase, data, size), goes_on = true;
    for (int i = 0; i < MEMBERS; i++) {
        for (int from = 0; from < MEMBERS; from++) {
            dt_status status = dt_masks_hear(w->masks[i], from, w->sent[phase][from], w->length[phase][from]);
            fuzz_check(status);
            bool as_it_was = !other || from != LIAR;
            if (as_it_was && phase <= lied && status.code != DT_OK) abort();
            if (!as_it_was && phase == DT_MASKS_OPEN && i != LIAR && status.code == DT_OK) abort();
            goes_on = goes_on && status.code == DT_OK;
        }
        if (phase < DT_MASKS_OPEN) {
            dt_status status = dt_masks_agree(w->masks[i], all, MEMBERS);
            fuzz_check(status);
            goes_on = goes_on && status.code == DT_OK;
        }
    }
    return goes_on;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world w;
    uint32_t sum[COUNT_OF_WORDS];
    uint64_t weight;
    bool goes_on = true;
    if (size < 1) return 0;
    describe_world(&w, MEMBERS, 2, COUNT_OF_WORDS);
    for (int i = 0; i < MEMBERS; i++)
        must(dt_masks_open(&w.round[i], w.secret[i], w.words[i], w.weight[i], &w.masks[i]));
    for (int phase = 0; phase < DT_MASKS_PHASES && goes_on; phase++)
        goes_on = one_phase_of(&w, phase, data[0] % DT_MASKS_PHASES, data, size);
    for (int i = 0; i < MEMBERS && goes_on; i++) {
        for (int from = 0; from < MEMBERS; from++)
            must(dt_masks_add(w.masks[i], from, w.sent[DT_MASKS_VECTOR][from], w.length[DT_MASKS_VECTOR][from]));
        fuzz_check(dt_masks_finish(w.masks[i], sum, &weight));
    }
    end_world(&w);
    return 0;
}
