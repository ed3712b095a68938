/* The digest of a state: one number that two runs share exactly when their models, moments, exponents and positions are
 * the same bits. Computed from per-dataset hashes, in order, so that a checkpoint file can be checked without knowing
 * the model. */
#include <stdio.h>
#include <string.h>

#include "base/alive.h"
#include "base/hash.h"
#include "store/checkpoint.h"
#include "store_internal.h"

void dt_digest_begin(dt_digest *digest, const dt_position *position, int64_t shards, int64_t seed) {
    int64_t head[] = {position->step, position->epoch, position->sample, shards, seed, position->origin};
    bool whole_course = position->origin == 0; /* then it is as it was before there was an origin */
    digest->value = dt_hash_bytes(head, sizeof head - (whole_course ? sizeof *head : 0));
}

void dt_digest_add(dt_digest *digest, const char *dataset, uint64_t hash) {
    uint64_t words[] = {digest->value, dt_hash_bytes(dataset, strlen(dataset)), hash};
    digest->value = dt_hash_bytes(words, sizeof words);
}

uint64_t dt_state_digest(const dt_state *state) {
    dt_digest digest;
    dt_digest_begin(&digest, &state->position, state->shards, state->seed);
    for (int i = 0; i < dt_state_count(state); i++) {
        dt_item item = dt_state_item(state, i);
        dt_digest_add(&digest, item.dataset, dt_hash_bytes(item.data, item.bytes));
    }
    return digest.value;
}

int dt_state_datasets(const dt_state *state) {
    return dt_state_count(state);
}

void dt_state_hash(const dt_state *state, int rank, int ranks, uint64_t *hashes) {
    size_t all = 0, before = 0;
    for (int i = 0; i < dt_state_count(state); i++) all += dt_state_item(state, i).bytes;
    for (int i = 0; i < dt_state_count(state); i++) {
        dt_item item = dt_state_item(state, i);
        double middle = (double)before + (double)item.bytes / 2;
        int turn = all > 0 ? (int)(middle / (double)all * ranks) : 0;
        before += item.bytes;
        if (turn != rank) continue;
        hashes[i] = dt_hash_bytes(item.data, item.bytes);
        dt_alive();
    }
}

uint64_t dt_state_digest_of(const dt_state *state, const uint64_t *hashes) {
    dt_digest digest;
    dt_digest_begin(&digest, &state->position, state->shards, state->seed);
    for (int i = 0; i < dt_state_count(state); i++) dt_digest_add(&digest, dt_state_item(state, i).dataset, hashes[i]);
    return digest.value;
}

int dt_state_count(const dt_state *state) {
    int count = state->extra_count;
    for (int i = 0; i < state->section_count; i++) count += state->sections[i].table->count;
    return count;
}

/* The texts of a state that it has: dataset and text. */
typedef struct text_item {
    const char *dataset, *text;
} text_item;

static int texts_of(const dt_state *state, text_item out[3]) {
    const text_item all[] = {
        {DT_CHECKPOINT_RECIPE, state->recipe}, {DT_CHECKPOINT_DATA, state->data}, {DT_CHECKPOINT_ISA, state->isa}};
    int count = 0;
    for (int i = 0; i < 3; i++)
        if (all[i].text) out[count++] = all[i];
    return count;
}

int dt_state_count_all(const dt_state *state) {
    text_item texts[3];
    return dt_state_count(state) + state->beside_count + texts_of(state, texts);
}

static dt_item item_of_text(const dt_state *state, int index) {
    text_item texts[3];
    dt_item item;
    memset(&item, 0, sizeof item);
    texts_of(state, texts);
    snprintf(item.dataset, sizeof item.dataset, "%s", texts[index].dataset);
    item.dtype = DT_U8;
    item.bytes = strlen(texts[index].text);
    item.shape = (dt_shape){1, {(int64_t)item.bytes}};
    item.data = (void *)(uintptr_t)texts[index].text; /* is only read */
    item.text = true;
    return item;
}

dt_item dt_state_item(const dt_state *state, int index) {
    dt_item item;
    memset(&item, 0, sizeof item);
    for (int i = 0; i < state->section_count; i++) {
        const dt_section *section = &state->sections[i];
        if (index >= section->table->count) {
            index -= section->table->count;
            continue;
        }
        const dt_tensor *tensor = &section->table->tensors[index];
        snprintf(item.dataset, sizeof item.dataset, "%s/%s", section->group, tensor->name);
        item.dtype = DT_F32;
        item.shape = tensor->shape;
        item.data = section->data ? section->data + tensor->offset : NULL;
        item.bytes = tensor->count * sizeof(float);
        return item;
    }
    if (index >= state->extra_count + state->beside_count)
        return item_of_text(state, index - state->extra_count - state->beside_count);
    const dt_extra *extra =
        index < state->extra_count ? &state->extras[index] : &state->beside[index - state->extra_count].array;
    snprintf(item.dataset, sizeof item.dataset, "%s%s", extra->name[0] == '/' ? "" : "/state/", extra->name);
    item.dtype = extra->dtype;
    item.shape = (dt_shape){1, {extra->count}};
    item.data = extra->data;
    item.bytes = (size_t)extra->count * dt_dtype_size(extra->dtype);
    return item;
}

void dt_digest_text(uint64_t digest, char out[17]) {
    snprintf(out, 17, "%016llx", (unsigned long long)digest);
}
