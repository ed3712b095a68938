#include "parting.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* ---- digests ---- */

typedef enum verdict { ALIKE, UNLIKE, UNKNOWN } verdict;

/* A link's digest is of the state before an evaluation of its step; a checkpoint's may be of that behind it, so that a
 * link beside a checkpoint says something only where it is the same. */
static verdict compare(const dt_claims *a, const dt_claim *one, const dt_claims *b, const dt_claim *two) {
    if (one->linked && two->linked) return one->link.digest == two->link.digest ? ALIKE : UNLIKE;
    const dt_kept_checkpoint *first = one->kept >= 0 ? &a->kept[one->kept] : NULL;
    const dt_kept_checkpoint *second = two->kept >= 0 ? &b->kept[two->kept] : NULL;
    if (first && second) return first->digest == second->digest ? ALIKE : UNLIKE;
    bool same = (first && two->linked && first->digest == two->link.digest) ||
                (second && one->linked && second->digest == one->link.digest);
    return same ? ALIKE : UNKNOWN;
}

dt_parting dt_claims_part(const dt_claims *a, const dt_claims *b) {
    dt_parting out = {.parted = -1};
    for (int64_t i = 0, j = 0; i < a->count && j < b->count && out.parted < 0;) {
        const dt_claim *one = &a->all[i], *two = &b->all[j];
        verdict found = one->step == two->step ? compare(a, one, b, two) : UNKNOWN;
        out.common += found != UNKNOWN;
        if (found == ALIKE) out.same = one->step;
        if (found == UNLIKE) out.parted = one->step;
        i += one->step <= two->step;
        j += two->step <= one->step;
    }
    return out;
}

/* ---- states ---- */

static dt_status list(const dt_seen_state *side, dt_datasets *out) {
    return side->path ? dt_datasets_of_file(side->path, out) : dt_datasets_of_state(side->state, out);
}

static dt_status read_values(const dt_seen_state *side, const dt_datasets *list, int64_t index, void **values) {
    return side->path ? dt_dataset_read(side->path, &list->all[index], values)
                      : dt_dataset_copy(side->state, (int)index, values);
}

static void value_text(dt_dtype type, const void *values, int64_t element, char out[64]) {
    const size_t bytes = dt_dtype_size(type);
    const char *at = (const char *)values + (size_t)element * bytes;
    uint64_t bits = 0;
    float single;
    double number = 0;
    memcpy(&bits, at, bytes); /* both ways round as the machine has it: little-endian */
    if (type == DT_F32) {
        memcpy(&single, at, sizeof single);
        number = (double)single;
    } else if (type == DT_F64) {
        memcpy(&number, at, sizeof number);
    }
    if (type == DT_F32 || type == DT_F64)
        snprintf(out, 64, "0x%0*" PRIx64 " (%.*g)", (int)(2 * bytes), bits, type == DT_F32 ? 9 : 17, number);
    else
        snprintf(out, 64, "0x%0*" PRIx64 " (%" PRIu64 ")", (int)(2 * bytes), bits, bits);
}

static bool same_form(const dt_dataset *one, const dt_dataset *two) {
    return strcmp(one->name, two->name) == 0 && one->dtype == two->dtype &&
           dt_dataset_bytes(one) == dt_dataset_bytes(two);
}

/* Of two datasets of one form, whose hashes differ. */
static void compare_values(const dt_dataset *one, void *const values[2], dt_difference *out) {
    const size_t size = dt_dtype_size(one->dtype);
    assert(values[0] && values[1]); /* look_into has read them */
    out->elements = dt_shape_count(&one->shape);
    out->element = -1;
    for (int64_t i = 0; i < out->elements; i++) {
        if (memcmp((char *)values[0] + (size_t)i * size, (char *)values[1] + (size_t)i * size, size) == 0) continue;
        if (out->element < 0) out->element = i;
        out->differing++;
    }
    for (int side = 0; side < 2 && out->element >= 0; side++)
        value_text(one->dtype, values[side], out->element, out->values[side]);
}

static dt_status look_into(const dt_seen_state sides[2], const dt_datasets lists[2], int64_t index,
                           dt_difference *out) {
    void *values[2] = {NULL, NULL};
    dt_status status = read_values(&sides[0], &lists[0], index, &values[0]);
    if (status.code == DT_OK) status = read_values(&sides[1], &lists[1], index, &values[1]);
    if (status.code == DT_OK) compare_values(&lists[0].all[index], values, out);
    dt_free(values[0]);
    dt_free(values[1]);
    return status;
}

static dt_status compare_lists(const dt_seen_state sides[2], const dt_datasets lists[2], dt_difference *out) {
    int64_t first = -1;
    assert(lists[0].all && lists[1].all);
    out->datasets = lists[0].count;
    for (int64_t i = 0; i < lists[0].count; i++) {
        const dt_dataset *one = &lists[0].all[i], *two = i < lists[1].count ? &lists[1].all[i] : NULL;
        bool same = two && same_form(one, two) && one->hash == two->hash;
        out->different += !same;
        if (!same && first < 0) first = i;
    }
    if (first < 0) return dt_ok();
    const dt_dataset *one = &lists[0].all[first];
    snprintf(out->name, sizeof out->name, "%s", one->name);
    if (first < lists[1].count && same_form(one, &lists[1].all[first])) return look_into(sides, lists, first, out);
    out->element = -1; /* another network */
    return dt_ok();
}

dt_status dt_states_differ(const dt_seen_state sides[2], dt_difference *out) {
    dt_datasets lists[2];
    memset(lists, 0, sizeof lists);
    memset(out, 0, sizeof *out);
    for (int i = 0; i < 2; i++) snprintf(out->values[i], sizeof out->values[i], "-");
    dt_status status = list(&sides[0], &lists[0]);
    if (status.code == DT_OK) status = list(&sides[1], &lists[1]);
    if (status.code == DT_OK) status = compare_lists(sides, lists, out);
    dt_datasets_finish(&lists[0]);
    dt_datasets_finish(&lists[1]);
    return status;
}
