/* Names of the values of an array: those of an enumeration, or the texts that strings are; or, of fields of a compound,
 * of the numbers of a row. A child that reads the files sends them, and all ranks have the same. */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "array_internal.h"
#include "base/memory.h"

void dt_members_finish(member_list *members) {
    dt_free(members->value);
    dt_free(members->begin);
    dt_free(members->text);
    *members = (member_list){.count = 0};
}

static dt_status reserve(member_list *members, int64_t count, int64_t bytes) {
    *members = (member_list){.count = count, .bytes = bytes};
    if (count == 0) return dt_ok();
    members->value = dt_alloc((size_t)count, sizeof *members->value);
    members->begin = dt_alloc((size_t)count, sizeof *members->begin);
    members->text = dt_alloc((size_t)bytes, 1);
    if (members->value && members->begin && members->text) return dt_ok();
    dt_members_finish(members);
    return dt_fail_memory("names of values", (unsigned long long)count * 12 + (unsigned long long)bytes);
}

/* ---- in a child ---- */

static bool measure(void *context, const char *name, int64_t value) {
    member_list *members = context;
    (void)value;
    members->count++;
    members->bytes += (int64_t)strlen(name) + 1;
    return true;
}

typedef struct filling {
    member_list *members;
    int64_t count, bytes;
} filling;

static bool fill(void *context, const char *name, int64_t value) {
    filling *f = context;
    f->members->value[f->count] = value;
    f->members->begin[f->count++] = (uint32_t)f->bytes;
    memcpy(f->members->text + f->bytes, name, strlen(name) + 1);
    f->bytes += (int64_t)strlen(name) + 1;
    return true;
}

typedef struct place {
    int64_t value;
    uint32_t begin;
} place;

static int by_value(const void *left, const void *right) {
    const place *a = left, *b = right;
    return a->value < b->value ? -1 : a->value > b->value;
}

/* Texts and fields come in order; members of an enumeration as they were written. */
static dt_status sort(member_list *members) {
    bool sorted = true;
    for (int64_t i = 1; i < members->count; i++) sorted = sorted && members->value[i - 1] <= members->value[i];
    if (sorted) return dt_ok();
    place *places = dt_alloc((size_t)members->count, sizeof *places);
    if (!places) return dt_fail_memory("names of values", (size_t)members->count * sizeof *places);
    for (int64_t i = 0; i < members->count; i++) places[i] = (place){members->value[i], members->begin[i]};
    qsort(places, (size_t)members->count, sizeof *places, by_value);
    for (int64_t i = 0; i < members->count; i++) {
        members->value[i] = places[i].value;
        members->begin[i] = places[i].begin;
    }
    dt_free(places);
    return dt_ok();
}

static dt_status send_list(const member_list *members, dt_guard *to) {
    const int64_t sizes[2] = {members->count, members->bytes};
    DT_TRY(dt_guard_send(to, sizes, sizeof sizes));
    if (members->count == 0) return dt_ok();
    DT_TRY(dt_guard_send(to, members->value, (size_t)members->count * sizeof *members->value));
    DT_TRY(dt_guard_send(to, members->begin, (size_t)members->count * sizeof *members->begin));
    return dt_guard_send(to, members->text, (size_t)members->bytes);
}

dt_status dt_members_send(const dt_h5_rows *rows, dt_guard *to) {
    member_list sizes = {.count = 0}, members;
    DT_TRY(dt_h5_rows_members(rows, measure, &sizes));
    DT_TRY(reserve(&members, sizes.count, sizes.bytes));
    dt_status status = dt_h5_rows_members(rows, fill, &(filling){.members = &members});
    if (status.code == DT_OK) status = sort(&members);
    if (status.code == DT_OK) status = send_list(&members, to);
    dt_members_finish(&members);
    return status;
}

/* ---- here ---- */

static bool is_sound(const member_list *members) {
    if (members->count > 0 && members->text[members->bytes - 1] != '\0') return false;
    for (int64_t i = 0; i < members->count; i++)
        if (members->begin[i] >= (uint64_t)members->bytes || (i > 0 && members->value[i - 1] > members->value[i]))
            return false;
    return true;
}

static dt_status take_list(member_list *members, dt_guard *from) {
    DT_TRY(dt_guard_take(from, members->value, (size_t)members->count * sizeof *members->value));
    DT_TRY(dt_guard_take(from, members->begin, (size_t)members->count * sizeof *members->begin));
    return dt_guard_take(from, members->text, (size_t)members->bytes);
}

dt_status dt_members_take(member_list *out, dt_guard *from, const char *file, const char *dataset) {
    int64_t sizes[2];
    DT_TRY(dt_guard_take(from, sizes, sizeof sizes));
    bool bounded = sizes[0] >= 0 && sizes[0] <= DT_H5_MOST_TEXTS && sizes[1] >= sizes[0] &&
                   sizes[1] <= (int64_t)DT_H5_MOST_TEXT_BYTES;
    dt_status status = bounded ? reserve(out, sizes[0], sizes[1]) : dt_ok();
    if (status.code != DT_OK || (bounded && sizes[0] == 0)) return status;
    if (bounded) DT_TRY(take_list(out, from));
    return bounded && is_sound(out) ? dt_ok()
                                    : dt_fail(DT_ERR_CORRUPT, "%s: the names of values of %s cannot be", file, dataset);
}

static uint64_t hash(const member_list *members) {
    uint64_t parts[3] = {(uint64_t)members->count};
    if (members->count == 0) return 0;
    parts[1] = XXH3_64bits(members->value, (size_t)members->count * sizeof *members->value);
    parts[2] = XXH3_64bits(members->text, (size_t)members->bytes);
    return XXH3_64bits(parts, sizeof parts);
}

/* Each machine's first rank has read its own. */
static dt_status check_alike(const member_list *members, const dt_ranks *ranks, const char *file, const char *dataset) {
    uint64_t first = hash(members);
    DT_TRY(dt_ranks_broadcast(ranks, &first, sizeof first, 0));
    bool alike = ranks->node_rank > 0 || hash(members) == first;
    return dt_ranks_agree(ranks, alike ? dt_ok()
                                       : dt_fail(DT_ERR_INPUT,
                                                 "%s: %s has other names for its values on %s than where rank 0 runs",
                                                 file, dataset, ranks->host));
}

dt_status dt_members_share(member_list *members, const dt_ranks *ranks, const char *file, const char *dataset) {
    DT_TRY(check_alike(members, ranks, file, dataset));
    int64_t sizes[2] = {members->count, members->bytes};
    DT_TRY(dt_ranks_broadcast(ranks, sizes, sizeof sizes, 0));
    if (sizes[0] == 0) return dt_ok();
    DT_TRY(dt_ranks_agree(ranks, members->count > 0 ? dt_ok() : reserve(members, sizes[0], sizes[1])));
    DT_TRY(dt_ranks_broadcast(ranks, members->value, (size_t)sizes[0] * sizeof *members->value, 0));
    DT_TRY(dt_ranks_broadcast(ranks, members->begin, (size_t)sizes[0] * sizeof *members->begin, 0));
    return dt_ranks_broadcast(ranks, members->text, (size_t)sizes[1], 0);
}

/* ---- asking ---- */

static const char *find(const member_list *members, int64_t value) {
    int64_t low = 0, high = members->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (members->value[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < members->count && members->value[low] == value ? members->text + members->begin[low] : NULL;
}

const char *dt_array_member(const dt_array *array, int64_t value) {
    return array->columns ? NULL : find(&array->members, value);
}

const char *dt_array_column(const dt_array *array, int64_t i) {
    return array->columns ? find(&array->members, i) : NULL;
}

bool dt_array_of_texts(const dt_array *array) {
    return array->texts;
}
