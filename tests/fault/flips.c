/* One flipped bit in a checkpoint: noticed, or without consequence. Never a model that is silently another one, never a
 * crash, never one that verifies and then does not load.
 *
 *   flips [COUNT [SEED]]   in a file of 1.2 MB and in one of 27 kB, COUNT (500) each: half of them anywhere, the
 *                          others outside of the datasets' bytes, where HDF5 and the attributes are
 *
 * Each damaged file is read by a child process, so that a crash is counted. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"
#include "store/h5.h"
#include "store/publish.h"

typedef enum verdict { NAMED, NOTICED, SURVIVED, HARMLESS, WRONG, DISAGREES, UNNAMED, CRASHED, VERDICTS } verdict;

static const struct {
    const char *text;
    bool fine;
} verdicts[VERDICTS] = {
    [NAMED] = {"noticed, the dataset named", true},
    [NOTICED] = {"noticed", true},
    [SURVIVED] = {"noticed, by a crash of HDF5 that was contained", true},
    [HARMLESS] = {"without consequence", true},
    [WRONG] = {"loads as something else", false},
    [DISAGREES] = {"verifies, but does not load", false},
    [UNNAMED] = {"noticed, but not what is damaged", false},
    [CRASHED] = {"ends the program that reads it", false},
};

typedef struct place {
    uint64_t from, to; /* bytes of the file */
    char dataset[192];
} place;

typedef struct target {
    char path[4096];
    sample_size size;
    sample original;
    unsigned char *bytes; /* [length] */
    size_t length;
    place places[64];
    int place_count;
    int64_t counts[2][VERDICTS]; /* outside of, inside of the datasets' bytes */
} target;

static void check(dt_status status) {
    if (status.code == DT_OK) return;
    fprintf(stderr, "%s\n", status.message);
    exit(1);
}

typedef struct place_walk {
    dt_h5 *file;
    target *t;
} place_walk;

static bool add_place(void *context, const char *path, char kind) {
    place_walk *walk = context;
    if (kind != 'd') return true;
    dt_h5_info info;
    check(dt_h5_describe(walk->file, path, &info));
    place *p = &walk->t->places[walk->t->place_count++];
    p->from = info.offset;
    p->to = info.offset + (uint64_t)dt_shape_count(&info.shape) * dt_dtype_size(info.dtype);
    snprintf(p->dataset, sizeof p->dataset, "%s", path);
    return true;
}

static void make_target(target *t, const char *directory, sample_size size) {
    memset(t, 0, sizeof *t);
    t->size = size;
    sample_init(&t->original, size, 25);
    const dt_ranks alone = dt_ranks_alone();
    check(dt_checkpoint_publish(&alone, directory, &t->original.state, t->path, NULL));
    place_walk walk = {.t = t};
    check(dt_h5_open(&walk.file, t->path));
    check(dt_h5_walk(walk.file, add_place, &walk));
    check(dt_h5_close(&walk.file));
    FILE *file = fopen(t->path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) abort();
    t->length = (size_t)ftell(file);
    rewind(file);
    t->bytes = dt_alloc(t->length, 1);
    if (!t->bytes || fread(t->bytes, 1, t->length, file) != t->length) abort();
    fclose(file);
}

static const place *place_of(const target *t, uint64_t at) {
    for (int i = 0; i < t->place_count; i++)
        if (at >= t->places[i].from && at < t->places[i].to) return &t->places[i];
    return NULL;
}

static bool same_recipe(const char *path, const char *recipe) {
    dt_checkpoint_head head;
    if (dt_checkpoint_head_read(path, &head).code != DT_OK) return false;
    bool same = strcmp(head.recipe, recipe) == 0;
    dt_checkpoint_head_finish(&head);
    return same;
}

static bool same_state(const target *t, const sample *s) {
    const dt_state *a = &t->original.state, *b = &s->state;
    return sample_is_whole(s, t->size) && a->position.step == b->position.step && a->shards == b->shards &&
           a->seed == b->seed && dt_state_digest(a) == dt_state_digest(b);
}

/* As the program does it: what does not verify is not loaded. In a child process. */
static verdict read_damaged(const target *t, const char *path, const place *damaged) {
    dt_status verified = dt_checkpoint_verify(path, NULL);
    if (verified.code != DT_OK) {
        bool named = strstr(verified.message, path) && !strchr(verified.message, '\n') &&
                     (!damaged || strstr(verified.message, damaged->dataset));
        if (!named) printf("%s\n", verified.message);
        fflush(stdout);
        if (!named) return UNNAMED;
        return damaged ? NAMED : strstr(verified.message, "signal") ? SURVIVED : NOTICED;
    }
    sample s;
    sample_init(&s, t->size, 0);
    if (dt_checkpoint_load(path, &s.state, false).code != DT_OK) return DISAGREES;
    return same_state(t, &s) && same_recipe(path, t->original.state.recipe) ? HARMLESS : WRONG;
}

static verdict try_child(const target *t, const char *path, const place *damaged) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        setrlimit(RLIMIT_CPU, &(struct rlimit){20, 20});
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        signal(SIGFPE, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        _exit((int)read_damaged(t, path, damaged));
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) abort();
    return WIFEXITED(status) && WEXITSTATUS(status) < VERDICTS ? (verdict)WEXITSTATUS(status) : CRASHED;
}

static void write_byte(int file, size_t at, unsigned char byte) {
    if (pwrite(file, &byte, 1, (off_t)at) != 1) abort();
}

static void flip(target *t, int file, size_t at, int bit) {
    const place *damaged = place_of(t, at);
    write_byte(file, at, (unsigned char)(t->bytes[at] ^ 1U << bit));
    verdict v = try_child(t, t->path, damaged);
    write_byte(file, at, t->bytes[at]);
    if (damaged && v == HARMLESS) v = WRONG;
    t->counts[damaged != NULL][v]++;
    if (!verdicts[v].fine)
        printf("FAIL  bit %d of byte %zu (%s): %s\n", bit, at, damaged ? damaged->dataset : "no dataset",
               verdicts[v].text);
}

static int report(const target *t) {
    int64_t failures = 0;
    for (int inside = 0; inside < 2; inside++)
        for (int v = 0; v < VERDICTS; v++) {
            if (t->counts[inside][v] > 0)
                printf("%zu bytes, %lld flips in %s: %s\n", t->length, (long long)t->counts[inside][v],
                       inside ? "datasets" : "the rest of the file", verdicts[v].text);
            if (!verdicts[v].fine) failures += t->counts[inside][v];
        }
    if (try_child(t, t->path, NULL) != HARMLESS) failures++;
    return failures > 0;
}

/* Flips that crash HDF5 1.10.8. */
static void flip_known(target *t, int file) {
    static const size_t places[] = {6476, 13500};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i] < t->length) flip(t, file, places[i], 1);
}

static void flip_some(target *t, int file, long count, uint64_t seed) {
    uint64_t draw = 0;
    for (long i = 0; i < count;) {
        uint64_t random = sample_mix(seed << 32 ^ draw++);
        size_t at = (random >> 3) % t->length;
        if (i >= count / 2 && place_of(t, at)) continue;
        flip(t, file, at, (int)(random & 7));
        i++;
    }
}

/* One checkpoint, `count` flips; non-zero when one was not fine. */
static int try_size(const char *directory, sample_size size, long count, uint64_t seed) {
    static target t;
    make_target(&t, directory, size);
    int file = open(t.path, O_RDWR | O_CLOEXEC);
    if (file < 0) abort();
    if (size == SAMPLE_ODD) flip_known(&t, file);
    flip_some(&t, file, count, seed);
    int failed = report(&t);
    close(file);
    unlink(t.path);
    dt_free(t.bytes);
    sample_finish(&t.original);
    return failed;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 500;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    const char *parent = getenv("TMPDIR");
    char directory[256];
    snprintf(directory, sizeof directory, "%s/dtrain-flips.XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(directory)) abort();
    int failed = try_size(directory, SAMPLE_NETWORK, count, seed);
    failed += try_size(directory, SAMPLE_ODD, count, seed);
    rmdir(directory);
    return failed > 0;
}
