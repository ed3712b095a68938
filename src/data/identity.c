/* The identity of data. It has to cost next to nothing at every start, of terabytes too: so it is a hash at the speed
 * of memory of what is small, and of a fixed sample of what is large. It cannot prove that data is the same; it is
 * there to notice that it is not, as when a file was made anew, sorted, cleaned, or is another's. */
#include "data/identity.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY /* the state of a hash, without malloc */
#include <xxhash.h>

#include "base/append.h"
#include "data/source.h"

#define WHOLE ((size_t)256 << 20)
#define BLOCK ((size_t)64 << 10)
#define BLOCKS 256

/* ---- fingerprints ---- */

/* Where block `i` of an array begins; the last one ends where the array does. */
static size_t block_at(size_t bytes, size_t i) {
    size_t last = bytes - BLOCK, apart = last / (BLOCKS - 1);
    return i == BLOCKS - 1 ? last : i * apart;
}

/* Values in memory, in one run or in several. */
typedef struct value_bytes {
    const dt_array *array; /* NULL: they are at `values` */
    const char *values;
    size_t bytes;
} value_bytes;

static const char *run_at(const value_bytes *of, size_t at, size_t *run) {
    if (of->array) return dt_array_bytes(of->array, at, run);
    *run = of->bytes - at;
    return of->values + at;
}

/* All blocks are asked for before the first is read: a disk may then fetch many at once. */
static void ask_for(const value_bytes *of) {
    if (of->array && !dt_array_in_memory(of->array)) return;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), run;
    for (size_t i = 0; i < BLOCKS; i++) {
        const char *begin = run_at(of, block_at(of->bytes, i), &run);
        size_t lead = (uintptr_t)begin % page;
        madvise((void *)(uintptr_t)(begin - lead), lead + (run < BLOCK ? run : BLOCK), MADV_WILLNEED);
    }
}

/* One block, in place or, where it is in several runs, gathered. */
static const char *block_of(const value_bytes *of, size_t at, char gathered[BLOCK]) {
    size_t run;
    const char *here = run_at(of, at, &run);
    if (run >= BLOCK) return here;
    for (size_t done = 0; done < BLOCK; done += run) {
        here = run_at(of, at + done, &run);
        if (run > BLOCK - done) run = BLOCK - done;
        memcpy(gathered + done, here, run);
    }
    return gathered;
}

static uint64_t hash_whole(const value_bytes *of) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    for (size_t at = 0, run; at < of->bytes; at += run) {
        const char *here = run_at(of, at, &run);
        XXH3_64bits_update(&state, here, run);
    }
    return XXH3_64bits_digest(&state);
}

static uint64_t hash(const value_bytes *of) {
    if (of->bytes <= WHOLE) return hash_whole(of);
    uint64_t hashes[BLOCKS];
    char gathered[BLOCK];
    ask_for(of);
    for (size_t i = 0; i < BLOCKS; i++) hashes[i] = XXH3_64bits(block_of(of, block_at(of->bytes, i), gathered), BLOCK);
    return XXH3_64bits(hashes, sizeof hashes);
}

uint64_t dt_fingerprint(const void *values, size_t bytes) {
    return hash(&(value_bytes){.values = values, .bytes = bytes});
}

uint64_t dt_fingerprint_of(const dt_array *array) {
    dt_shape shape = dt_array_shape(array);
    return hash(
        &(value_bytes){.array = array, .bytes = (size_t)dt_shape_count(&shape) * dt_dtype_size(dt_array_dtype(array))});
}

/* ---- of a run's data ---- */

static void add(dt_identity *out, dt_split of, const char *what, const dt_array *array) {
    if (!array) return;
    dt_identity_part *part = &out->parts[out->count++];
    snprintf(part->role, sizeof part->role, "%s_%s", dt_split_name(of), what);
    part->dtype = dt_array_dtype(array);
    part->shape = dt_array_shape(array);
    part->fingerprint = dt_fingerprint_of(array);
}

/* Which of them are samples. */
static void add_rows(dt_identity *out, const dt_source *source) {
    const dt_selection *selection = &source->selection;
    if (!selection->rows) return;
    dt_identity_part *part = &out->parts[out->count++];
    *part = (dt_identity_part){.dtype = DT_I64, .shape = {1, {selection->count}}};
    snprintf(part->role, sizeof part->role, "%s_rows", dt_split_name(source->split));
    part->fingerprint = dt_fingerprint(selection->rows, (size_t)selection->count * sizeof *selection->rows);
}

#define INPUT "input_"

static const char *input_of(const dt_identity_part *part) {
    return strncmp(part->role, INPUT, strlen(INPUT)) == 0 ? part->role + strlen(INPUT) : NULL;
}

/* Parts that have names, the same in training and test. */
static void add_inputs(dt_identity *out, const dt_array *array) {
    int64_t count;
    const dt_input *inputs = dt_array_inputs(array, &count);
    for (int64_t i = 0; i < count; i++) {
        dt_identity_part *part = &out->parts[out->count++];
        snprintf(part->role, sizeof part->role, INPUT "%s", inputs[i].name);
        part->dtype = dt_array_dtype(array);
        part->shape = inputs[i].shape;
    }
}

static bool same_part(const dt_identity_part *a, const dt_identity_part *b) {
    bool same = strcmp(a->role, b->role) == 0 && a->dtype == b->dtype && a->shape.rank == b->shape.rank &&
                a->fingerprint == b->fingerprint;
    for (int i = 0; same && i < a->shape.rank; i++) same = a->shape.dim[i] == b->shape.dim[i];
    return same;
}

static dt_status check_copies(const dt_identity *here, const dt_identity *first, const dt_ranks *ranks,
                              const char *file) {
    for (int i = 0; i < here->count; i++)
        if (!same_part(&here->parts[i], &first->parts[i]))
            return dt_fail(
                DT_ERR_INPUT,
                "%s: data.%s has other values on %s than where rank 0 runs; every machine needs the same data", file,
                here->parts[i].role, ranks->host);
    return dt_ok();
}

/* Whether some of its values could not be read. */
static dt_status failure(const dt_source *source) {
    DT_TRY(dt_array_failure(source->x));
    return source->targets.y ? dt_array_failure(source->targets.y) : dt_ok();
}

dt_status dt_identity_of(dt_identity *out, const dt_ranks *ranks, const char *file, const dt_source *train,
                         const dt_source *test) {
    memset(out, 0, sizeof *out);
    if (ranks->node_rank == 0) {
        add(out, train->split, "x", train->x);
        add(out, train->split, "y", train->targets.y);
        add(out, train->split, "weights", train->weights.rows);
        add_rows(out, train);
        bool cut = test && test->dealt.samples[test->split] > 0; /* its datasets are the training data's */
        if (test && !cut) add(out, test->split, "x", test->x);
        if (test && !cut) add(out, test->split, "y", test->targets.y);
        if (test) add_rows(out, test);
    }
    if (ranks->node_rank == 0) add_inputs(out, train->x);
    dt_status read = failure(train);
    if (test && read.code == DT_OK) read = failure(test);
    DT_TRY(dt_ranks_agree(ranks, read));
    DT_TRY(dt_ranks_agree(ranks, dt_ranks_node_broadcast(ranks, out, sizeof *out)));
    dt_identity first = *out;
    DT_TRY(dt_ranks_broadcast(ranks, &first, sizeof first, 0));
    return dt_ranks_agree(ranks, check_copies(out, &first, ranks, file));
}

/* ---- as text ---- */

void dt_identity_text(const dt_identity *identity, char text[DT_IDENTITY_TEXT]) {
    text[0] = '\0';
    for (int i = 0; i < identity->count; i++) {
        const dt_identity_part *part = &identity->parts[i];
        char shape[96];
        dt_shape_text(&part->shape, shape);
        dt_append(text, DT_IDENTITY_TEXT, "%s %s %s %016llx\n", part->role, dt_dtype_name(part->dtype), shape,
                  (unsigned long long)part->fingerprint);
    }
}

static bool parse_dtype(const char *name, dt_dtype *dtype) {
    for (int i = 0; i < DT_DTYPE_COUNT; i++) {
        *dtype = (dt_dtype)i;
        if (strcmp(dt_dtype_name(*dtype), name) == 0) return true;
    }
    return false;
}

/* "60000, 28, 28" */
static bool parse_shape(const char *text, dt_shape *shape) {
    for (shape->rank = 0; shape->rank < DT_MAX_RANK; text += 2) {
        int used = 0;
        long long dim = 0;
        if (sscanf(text, "%lld%n", &dim, &used) != 1 || dim < 0) return false;
        shape->dim[shape->rank++] = dim;
        text += used;
        if (!*text) return true;
        if (strncmp(text, ", ", 2) != 0) return false;
    }
    return false;
}

/* A role is shown later, and compared: only one we would write is taken. */
static bool parse_line(const char *line, dt_identity_part *part) {
    char dtype[16], shape[96];
    unsigned long long fingerprint;
    if (sscanf(line, "%47[a-zA-Z0-9_-] %15[a-z0-9] [%95[0-9, ]] %16llx", part->role, dtype, shape, &fingerprint) != 4)
        return false;
    part->fingerprint = fingerprint;
    return parse_dtype(dtype, &part->dtype) && parse_shape(shape, &part->shape);
}

dt_status dt_identity_parse(dt_identity *out, const char *text, const char *file) {
    memset(out, 0, sizeof *out);
    int datasets = 0;
    for (const char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        bool good = end && out->count < DT_IDENTITY_PARTS && parse_line(line, &out->parts[out->count]);
        if (good) datasets += input_of(&out->parts[out->count++]) == NULL;
        if (!good || datasets > DT_IDENTITY_PARTS - DT_MOST_INPUTS)
            return dt_fail(DT_ERR_CORRUPT, "%s: what it says of its data cannot be read", file);
    }
    return dt_ok();
}

/* ---- comparing ---- */

const dt_identity_part *dt_identity_find(const dt_identity *identity, const char *role) {
    for (int i = 0; i < identity->count; i++)
        if (strcmp(identity->parts[i].role, role) == 0) return &identity->parts[i];
    return NULL;
}

/* "float32 [600, 8]" */
static void describe(const dt_identity_part *part, char text[128]) {
    char shape[96];
    dt_shape_text(&part->shape, shape);
    snprintf(text, 128, "%s %s", dt_dtype_name(part->dtype), shape);
}

#define SAID 2 /* differences that a message spells out */

typedef struct difference_list {
    char text[400];
    int count;
} difference_list;

static void say(difference_list *list, const char *role, const dt_identity_part *stored,
                const dt_identity_part *found) {
    if (list->count++ >= SAID) return;
    char was[128] = "not there", is[128] = "not there";
    if (stored) describe(stored, was);
    if (found) describe(found, is);
    const char *joint = list->text[0] ? "; " : "";
    if (!stored || !found || strcmp(was, is) != 0)
        dt_append(list->text, sizeof list->text, "%sdata.%s is %s, and was %s", joint, role, is, was);
    else
        dt_append(list->text, sizeof list->text, "%sdata.%s has other values (fingerprint %016llx, was %016llx)", joint,
                  role, (unsigned long long)found->fingerprint, (unsigned long long)stored->fingerprint);
}

dt_status dt_identity_compare(const dt_identity *stored, const dt_identity *found) {
    difference_list list = {.count = 0};
    for (int i = 0; i < found->count; i++) {
        const dt_identity_part *old = dt_identity_find(stored, found->parts[i].role);
        if (!old || !same_part(old, &found->parts[i])) say(&list, found->parts[i].role, old, &found->parts[i]);
    }
    for (int i = 0; i < stored->count; i++)
        if (!dt_identity_find(found, stored->parts[i].role)) say(&list, stored->parts[i].role, &stored->parts[i], NULL);
    if (list.count == 0) return dt_ok();
    char more[32] = "";
    if (list.count > SAID) snprintf(more, sizeof more, "; and %d more", list.count - SAID);
    return dt_fail(DT_ERR_INPUT, "%s%s", list.text, more);
}

/* ---- before data is opened ---- */

/* Numbers of a sample. */
static int64_t width_of(const dt_shape *shape) {
    return shape->dim[0] > 0 ? dt_shape_count(shape) / shape->dim[0] : 0;
}

dt_status dt_identity_name_inputs(const dt_identity *trained, dt_array *array, const char *file) {
    dt_input inputs[DT_MOST_INPUTS] = {{.first = 0}};
    int64_t count = 0, first = 0;
    const dt_shape row = dt_array_row_shape(array);
    const int64_t width = dt_shape_count(&row);
    for (int i = 0; i < trained->count; i++) {
        const dt_identity_part *part = &trained->parts[i];
        const char *name = input_of(part);
        if (!name) continue;
        int64_t numbers = dt_shape_count(&part->shape);
        if (count == DT_MOST_INPUTS || strlen(name) >= DT_INPUT_NAME || part->shape.rank < 1 || numbers < 1 ||
            numbers > width - first)
            return dt_fail(DT_ERR_CORRUPT, "%s: what it says of its inputs cannot be", file);
        snprintf(inputs[count].name, sizeof inputs[count].name, "%s", name);
        inputs[count].first = first;
        inputs[count++].shape = part->shape;
        first += numbers;
    }
    if (count > 0 && first != width) return dt_fail(DT_ERR_CORRUPT, "%s: what it says of its inputs cannot be", file);
    return dt_array_name_inputs(array, inputs, count);
}

/* That inputs have the names and shapes of those a model was trained on. */
static dt_status expect_inputs(const dt_identity *trained, const char *path, const char *file, const char *dataset,
                               const dt_array *array) {
    int64_t count, known = 0;
    const dt_input *inputs = dt_array_inputs(array, &count);
    for (int i = 0; i < trained->count; i++) {
        const dt_identity_part *part = &trained->parts[i];
        const char *name = input_of(part);
        if (!name) continue;
        const dt_input *input = known < count ? &inputs[known] : NULL;
        known++;
        char was[96], is[96] = "not there";
        dt_shape_text(&part->shape, was);
        bool same = input && strcmp(input->name, name) == 0;
        if (same) dt_shape_text(&input->shape, is);
        if (!same || strcmp(is, was) != 0)
            return dt_fail(DT_ERR_INPUT, "%s: %s: input %lld is to be `%s`, %s, which %s was trained on, but is %s",
                           file, dataset, (long long)known, name, was, path,
                           same    ? is
                           : input ? input->name
                                   : is);
    }
    return dt_ok();
}

dt_status dt_identity_expect(const char *text, const char *path, const char *file, const char *dataset,
                             const dt_array *array) {
    dt_identity trained;
    DT_TRY(dt_identity_parse(&trained, text, path));
    dt_shape found = dt_array_shape(array);
    const dt_shape *was = &trained.parts[0].shape;
    if (trained.count == 0 || strcmp(trained.parts[0].role, "train_x") != 0 || was->rank < 1) return dt_ok();
    int64_t width = width_of(was); /* a model may take another shape of as many; it says so itself */
    if (width_of(&found) == width) return expect_inputs(&trained, path, file, dataset, array);
    char here[96], there[96];
    dt_shape_text(&found, here);
    dt_shape_text(was, there);
    return dt_fail(DT_ERR_INPUT, "%s: %s is %s, but %s was trained on samples of %lld numbers: its data was %s", file,
                   dataset, here, path, (long long)width, there);
}
