/* Vocabularies: how they are stored, and what is checked before one is used. A file may come from anywhere, so nothing
 * in it is taken for granted: an offset or a merge that points outside would be read from somewhere else in memory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/guard.h"
#include "base/memory.h"
#include "data/array.h"
#include "files.h"
#include "store/h5.h"
#include "words.h"

#define MOST_TOKENS ((int64_t)1 << 24) /* ids travel as float32 */

const char *const dt_token_kinds[4] = {"char", "byte", "bpe", NULL};

void dt_vocabulary_finish(dt_vocabulary *vocabulary) {
    dt_free(vocabulary->bytes);
    dt_free(vocabulary->offsets);
    dt_free(vocabulary->merges);
    memset(vocabulary, 0, sizeof *vocabulary);
}

uint64_t dt_vocabulary_hash(const dt_vocabulary *v) {
    if (v->size == 0) return 0;
    XXH64_hash_t hash = XXH3_64bits_withSeed(v->offsets, (size_t)(v->size + 1) * sizeof *v->offsets, (uint64_t)v->kind);
    hash = XXH3_64bits_withSeed(v->bytes, (size_t)v->offsets[v->size], hash);
    return v->merge_count ? XXH3_64bits_withSeed(v->merges, (size_t)(3 * v->merge_count) * sizeof *v->merges, hash)
                          : hash;
}

/* Room for `size` tokens of `bytes` bytes and for merges. */
dt_status dt_vocabulary_reserve(dt_vocabulary *v, int64_t size, int64_t bytes, int64_t merges) {
    v->size = size;
    v->merge_count = merges;
    v->bytes = dt_alloc((size_t)bytes + 1, 1);
    v->offsets = dt_alloc((size_t)size + 1, sizeof *v->offsets);
    v->merges = dt_alloc((size_t)(3 * merges) + 1, sizeof *v->merges);
    if (v->bytes && v->offsets && v->merges) return dt_ok();
    dt_vocabulary_finish(v);
    return dt_fail_memory("a vocabulary", (unsigned long long)(bytes + 8 * size + 12 * merges));
}

dt_status dt_vocabulary_bytes(dt_vocabulary *out) {
    memset(out, 0, sizeof *out);
    DT_TRY(dt_vocabulary_reserve(out, 256, 256, 0));
    out->kind = DT_TOKENS_BYTE;
    for (int i = 0; i < 256; i++) out->bytes[i] = (uint8_t)i;
    for (int i = 0; i <= 256; i++) out->offsets[i] = i;
    return dt_ok();
}

dt_status dt_vocabulary_chars(dt_vocabulary *out, const uint32_t *points, int64_t count) {
    memset(out, 0, sizeof *out);
    DT_TRY(dt_vocabulary_reserve(out, count, 4 * count, 0));
    out->kind = DT_TOKENS_CHAR;
    for (int64_t i = 0; i < count; i++)
        out->offsets[i + 1] = out->offsets[i] + (int64_t)dt_utf8_put(points[i], out->bytes + out->offsets[i]);
    return dt_ok();
}

/* ---- reading ---- */

typedef struct source {
    dt_h5 *h5;
    const char *file, *prefix; /* of the datasets: "/vocab/" or "/state/vocab_" */
} source;

/* One dataset as `count` values of a type, to dt_free; *count -1: any number, which is set. NULL on failure. */
static void *read_part(const source *from, const char *name, dt_dtype dtype, int64_t *count, dt_status *status) {
    char dataset[64];
    dt_h5_info info;
    snprintf(dataset, sizeof dataset, "%s%s", from->prefix, name);
    if (!dt_h5_has(from->h5, dataset))
        *status = dt_fail(DT_ERR_CORRUPT, "%s: the vocabulary has no %s", from->file, dataset);
    else
        *status = dt_h5_describe(from->h5, dataset, &info);
    if (status->code == DT_OK) *status = dt_h5_check_values(from->h5, dataset);
    if (status->code != DT_OK) return NULL;
    int64_t there = info.shape.rank == 1 ? info.shape.dim[0] : -1;
    if (info.dtype != dtype || there < 0 || (*count >= 0 && there != *count)) {
        *status = dt_fail(DT_ERR_CORRUPT, "%s: %s is not a list of %s as a vocabulary has", from->file, dataset,
                          dt_dtype_name(dtype));
        return NULL;
    }
    void *values = dt_alloc((size_t)there + 1, dt_dtype_size(dtype));
    *count = there;
    if (!values)
        *status = dt_fail_memory("a vocabulary", (unsigned long long)there * dt_dtype_size(dtype));
    else if (there > 0)
        *status = dt_h5_read_rows(from->h5, dataset, dtype, 0, there, values);
    if (status->code == DT_OK) return values;
    dt_free(values);
    return NULL;
}

/* That what was read points nowhere else. */
static dt_status check_parts(const dt_vocabulary *v, const char *file, int64_t bytes) {
    if (v->kind < DT_TOKENS_CHAR || v->kind > DT_TOKENS_BPE)
        return dt_fail(DT_ERR_CORRUPT, "%s: the vocabulary's kind is %d; known are 0 to 2", file, (int)v->kind);
    if (v->size < 1 || v->size >= MOST_TOKENS || v->offsets[0] != 0 || v->offsets[v->size] != bytes)
        return dt_fail(DT_ERR_CORRUPT, "%s: the vocabulary's offsets do not fit its bytes", file);
    for (int64_t i = 0; i < v->size; i++)
        if (v->offsets[i + 1] <= v->offsets[i] || v->offsets[i + 1] > bytes)
            return dt_fail(DT_ERR_CORRUPT, "%s: the vocabulary's token %lld has no bytes", file, (long long)i);
    for (int64_t i = 0; i < 3 * v->merge_count; i++)
        if (v->merges[i] < 0 || v->merges[i] >= v->size)
            return dt_fail(DT_ERR_CORRUPT, "%s: the vocabulary's merge %lld is of a token that is not there", file,
                           (long long)(i / 3));
    return dt_ok();
}

static dt_status read_parts(dt_vocabulary *v, const source *from) {
    int64_t one = 1, offsets = -1, bytes = -1, numbers = -1;
    dt_status status;
    int32_t *kind = read_part(from, "kind", DT_I32, &one, &status);
    if (kind) v->kind = *kind;
    dt_free(kind);
    if (status.code == DT_OK) v->offsets = read_part(from, "offsets", DT_I64, &offsets, &status);
    if (status.code == DT_OK) v->bytes = read_part(from, "bytes", DT_U8, &bytes, &status);
    DT_TRY(status);
    v->size = offsets - 1;
    if (v->size < 1) return dt_fail(DT_ERR_CORRUPT, "%s: the vocabulary's offsets do not fit its bytes", from->file);
    char merges[64];
    snprintf(merges, sizeof merges, "%smerges", from->prefix);
    if (v->kind == DT_TOKENS_BPE && dt_h5_has(from->h5, merges)) {
        v->merges = read_part(from, "merges", DT_I32, &numbers, &status);
        DT_TRY(status);
        if (numbers % 3 != 0)
            return dt_fail(DT_ERR_CORRUPT, "%s: the vocabulary's merges are not threes of tokens", from->file);
        v->merge_count = numbers / 3;
    }
    return check_parts(v, from->file, bytes);
}

/* What may travel: nothing is longer that a child has memory for. */
#define MOST_BYTES ((int64_t)DT_GUARD_MEMORY)

static dt_status read_open(dt_vocabulary *v, source *from) {
    if (dt_h5_has(from->h5, "/vocab"))
        from->prefix = "/vocab/";
    else if (dt_h5_has(from->h5, "/state/vocab_kind"))
        from->prefix = "/state/vocab_";
    return from->prefix ? read_parts(v, from) : dt_ok();
}

typedef struct read_job {
    const char *file;
    dt_vocabulary *v;
} read_job;

/* In a child. */
static dt_status send_parts(const dt_vocabulary *v, dt_guard *to) {
    int64_t head[4] = {v->kind, v->size, v->size ? v->offsets[v->size] : 0, v->merge_count};
    DT_TRY(dt_guard_send(to, head, sizeof head));
    if (v->size == 0) return dt_ok();
    DT_TRY(dt_guard_send(to, v->bytes, (size_t)head[2]));
    DT_TRY(dt_guard_send(to, v->offsets, (size_t)(v->size + 1) * sizeof *v->offsets));
    return dt_guard_send(to, v->merges, (size_t)(3 * v->merge_count) * sizeof *v->merges);
}

static dt_status send_vocabulary(void *context, dt_h5 *h5, dt_guard *to) {
    const read_job *job = context;
    dt_vocabulary read = {0};
    dt_status status = read_open(&read, &(source){.file = job->file, .h5 = h5});
    if (status.code == DT_OK) status = send_parts(&read, to);
    dt_vocabulary_finish(&read);
    return status;
}

static dt_status take_vocabulary(void *context, dt_guard *from) {
    const read_job *job = context;
    dt_vocabulary *v = job->v;
    int64_t head[4];
    DT_TRY(dt_guard_take(from, head, sizeof head));
    if (head[1] == 0) return dt_ok();
    if (head[1] < 0 || head[1] >= MOST_TOKENS || head[2] < 0 || head[2] > MOST_BYTES || head[3] < 0 ||
        head[3] > MOST_BYTES / 12)
        return dt_fail(DT_ERR_CORRUPT, "%s: its vocabulary has an impossible size", job->file);
    DT_TRY(dt_vocabulary_reserve(v, head[1], head[2], head[3]));
    v->kind = (int32_t)head[0];
    DT_TRY(dt_guard_take(from, v->bytes, (size_t)head[2]));
    DT_TRY(dt_guard_take(from, v->offsets, (size_t)(v->size + 1) * sizeof *v->offsets));
    DT_TRY(dt_guard_take(from, v->merges, (size_t)(3 * v->merge_count) * sizeof *v->merges));
    return check_parts(v, job->file, head[2]);
}

dt_status dt_vocabulary_read(dt_vocabulary *out, const char *file) {
    memset(out, 0, sizeof *out);
    if (access(file, F_OK) != 0 && errno == ENOENT) return dt_fail_missing(file);
    read_job job = {file, out};
    dt_status status =
        dt_h5_run(&(dt_h5_job){.path = file, .work = send_vocabulary, .take = take_vocabulary, .context = &job});
    if (status.code != DT_OK) dt_vocabulary_finish(out);
    return status;
}

/* Collective. Memory and contents on the ranks that did not read. */
static dt_status share(dt_vocabulary *v, const dt_ranks *ranks) {
    int64_t head[4] = {v->kind, v->size, v->size ? v->offsets[v->size] : 0, v->merge_count};
    DT_TRY(dt_ranks_broadcast(ranks, head, sizeof head, 0));
    if (head[1] == 0) return dt_ok();
    dt_status status = ranks->rank == 0 ? dt_ok() : dt_vocabulary_reserve(v, head[1], head[2], head[3]);
    DT_TRY(dt_ranks_agree(ranks, status));
    v->kind = (int32_t)head[0];
    DT_TRY(dt_ranks_broadcast(ranks, v->bytes, (size_t)head[2], 0));
    DT_TRY(dt_ranks_broadcast(ranks, v->offsets, (size_t)(head[1] + 1) * sizeof *v->offsets, 0));
    return head[3] ? dt_ranks_broadcast(ranks, v->merges, (size_t)(3 * head[3]) * sizeof *v->merges, 0) : dt_ok();
}

/* Of several files: all have the same, or the ids of one would mean other tokens in the next. */
static dt_status read_all(dt_vocabulary *out, const dt_files *files) {
    DT_TRY(dt_vocabulary_read(out, files->name[0]));
    for (int64_t i = 1; i < files->count; i++) {
        dt_vocabulary other;
        DT_TRY(dt_vocabulary_read(&other, files->name[i]));
        bool same =
            other.size == out->size && (out->size == 0 || dt_vocabulary_hash(&other) == dt_vocabulary_hash(out));
        dt_vocabulary_finish(&other);
        if (!same)
            return dt_fail(DT_ERR_INPUT, "%s: its vocabulary is not that of %s; files of one text must agree",
                           files->name[i], files->name[0]);
    }
    return dt_ok();
}

dt_status dt_vocabulary_open(dt_vocabulary *out, const dt_ranks *ranks, const char *file) {
    memset(out, 0, sizeof *out);
    dt_files files;
    dt_status status = dt_files_open(&files, ranks, file);
    if (status.code == DT_OK) status = dt_ranks_agree(ranks, ranks->rank == 0 ? read_all(out, &files) : dt_ok());
    dt_files_close(&files);
    if (status.code == DT_OK) status = share(out, ranks);
    if (status.code != DT_OK) dt_vocabulary_finish(out);
    return status;
}

/* ---- writing ---- */

static dt_status write_part(dt_h5 *h5, const char *dataset, dt_dtype dtype, int64_t count, const void *data) {
    DT_TRY(dt_h5_create_dataset(h5, dataset, dtype, &(dt_shape){1, {count}}, 0));
    return dt_h5_write_rows(h5, dataset, dtype, 0, count, data);
}

dt_status dt_vocabulary_write(const dt_vocabulary *v, dt_h5 *h5) {
    DT_TRY(write_part(h5, "/vocab/kind", DT_I32, 1, &v->kind));
    DT_TRY(write_part(h5, "/vocab/bytes", DT_U8, v->offsets[v->size], v->bytes));
    DT_TRY(write_part(h5, "/vocab/offsets", DT_I64, v->size + 1, v->offsets));
    if (v->kind == DT_TOKENS_BPE && v->merge_count > 0)
        DT_TRY(write_part(h5, "/vocab/merges", DT_I32, 3 * v->merge_count, v->merges));
    return dt_ok();
}
