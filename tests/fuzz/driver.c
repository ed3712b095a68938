/* Runs a fuzz target without libFuzzer: every file of a corpus as it is, then mutations of them, drawn from a seed, so
 * that a run can be repeated.
 *
 *   fuzz_NAME [--runs N] [--seed N] [--most BYTES] FILE|DIRECTORY…
 *
 * When the target aborts, is stopped by a sanitizer, or takes longer than ten minutes over an input, the input is left
 * as crash-NAME in $TMPDIR (or /tmp) and named; given alone to the same program, it shows the same again. */
#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <unistd.h>

#include "fuzz.h"

#define MOST_FILES 512
#define MOST_SECONDS 600 /* of one input: several children may take their bound of time, on a loaded machine */

typedef struct input {
    uint8_t *bytes;
    size_t size;
} input;

static input corpus[MOST_FILES];
static int corpus_count;
static uint64_t state = 1;
static size_t most = 1 << 16;
static input current;
static char crash[4096];

/* ---- what is left of a failure ---- */

static void leave_input(void) {
    static int left;
    if (left++ || !current.bytes) return;
    FILE *file = fopen(crash, "wb");
    if (!file) return;
    fwrite(current.bytes, 1, current.size, file);
    fclose(file);
    fprintf(stderr, "the input is in %s (%zu bytes)\n", crash, current.size);
}

static void stop(int signal_number) {
    fprintf(stderr, "%s\n", signal_number == SIGALRM ? "the input took too long" : "the target gave up");
    leave_input();
    _exit(1);
}

/* The sanitizers call it before they end the process. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

/* ---- mutations ---- */

static uint64_t draw(uint64_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U; /* Knuth's MMIX generator */
    return (state >> 33) % below;
}

static void insert(input *in, size_t at, const uint8_t *bytes, size_t count) {
    if (in->size + count > most) return;
    memmove(in->bytes + at + count, in->bytes + at, in->size - at);
    memmove(in->bytes + at, bytes, count);
    in->size += count;
}

static void erase(input *in, size_t at, size_t count) {
    memmove(in->bytes + at, in->bytes + at + count, in->size - at - count);
    in->size -= count;
}

/* Numbers and characters at which readers stumble. */
static const char *const stumbles[] = {"",
                                       "0",
                                       "-1",
                                       "1e999",
                                       "nan",
                                       "4294967296",
                                       "9223372036854775807",
                                       "[",
                                       "]",
                                       "{",
                                       "}",
                                       ":",
                                       "- ",
                                       "\"",
                                       "\n",
                                       "\r\n",
                                       "\\u0000",
                                       "\\",
                                       "#",
                                       "&a",
                                       "*a",
                                       "\x80",
                                       "\xc3",
                                       "\xed\xa0\x80",
                                       "\xf4\x90\x80\x80",
                                       "\xef\xbb\xbf",
                                       "\x7f",
                                       "\x1b[2J",
                                       FUZZ_BETWEEN};

static void mutate(input *in) {
    const input *other = &corpus[draw((uint64_t)corpus_count)];
    size_t at = in->size ? draw(in->size) : 0, rest = in->size - at;
    size_t count = rest ? 1 + draw(rest < 64 ? rest : 64) : 0;
    static const uint8_t bytes[] = {0, 1, 0x7f, 0x80, 0xff, '\n', ' ', '0', '9', '-'};
    const char *text = stumbles[draw(sizeof stumbles / sizeof *stumbles)];
    uint8_t copy[64];
    switch (draw(9)) {
    case 0:
        if (rest) in->bytes[at] ^= (uint8_t)(1U << draw(8));
        break;
    case 1:
        if (rest) in->bytes[at] = bytes[draw(sizeof bytes)];
        break;
    case 2:
        if (rest) in->bytes[at] = (uint8_t)draw(256);
        break;
    case 3: erase(in, at, count); break;
    case 4: in->size = at; break;
    case 5: insert(in, at, (const uint8_t *)text, strlen(text)); break;
    case 6: /* something of this input, once more */
        memcpy(copy, in->bytes + at, count);
        insert(in, in->size ? draw(in->size) : 0, copy, count);
        break;
    case 7: /* something of another */
        if (other->size) {
            size_t from = draw(other->size), more = other->size - from;
            insert(in, at, other->bytes + from, 1 + draw(more < 256 ? more : 256));
        }
        break;
    default: /* a number in binary, as lengths and offsets are */
        if (rest >= 4) {
            uint32_t number = draw(2) ? (uint32_t)draw(UINT64_C(1) << 31) : UINT32_MAX >> draw(32);
            memcpy(in->bytes + at, &number, sizeof number);
        }
    }
}

/* ---- the corpus ---- */

static void add_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || corpus_count == MOST_FILES) abort();
    input *in = &corpus[corpus_count++];
    in->bytes = malloc(most);
    if (!in->bytes) abort();
    in->size = fread(in->bytes, 1, most, file);
    fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void add(const char *path) {
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, by_name);
    if (count < 0) {
        add_file(path);
        return;
    }
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') add_file(name);
        free(entries[i]);
    }
    free(entries);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)info, (void)type, (void)at;
    return remove(path);
}

static void try(void) {
    alarm(MOST_SECONDS);
    LLVMFuzzerTestOneInput(current.bytes, current.size);
    alarm(0);
}

int main(int argc, char **argv) {
    long runs = 0;
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    const char *temporary = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = atol(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            state = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--most") == 0 && i + 1 < argc && corpus_count == 0)
            most = strtoull(argv[++i], NULL, 10);
        else
            add(argv[i]);
    }
    if (corpus_count == 0) {
        fprintf(stderr, "%s: no corpus\n", name);
        return 2;
    }
    char directory[4096];
    snprintf(crash, sizeof crash, "%s/crash-%s", temporary, name);
    snprintf(directory, sizeof directory, "%s/dtrain-fuzz.XXXXXX", temporary);
    if (!mkdtemp(directory) || chdir(directory) != 0) abort();
    signal(SIGALRM, stop), signal(SIGABRT, stop);
    if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(leave_input);
    current.bytes = malloc(most);
    if (!current.bytes) abort();
    for (long run = -corpus_count; run < runs; run++) {
        const input *from = &corpus[run < 0 ? (uint64_t)(run + corpus_count) : draw((uint64_t)corpus_count)];
        memcpy(current.bytes, from->bytes, current.size = from->size);
        for (uint64_t i = run < 0 ? 0 : 1 + draw(4); i > 0; i--) mutate(&current);
        try();
    }
    printf("%s: %d inputs of the corpus, %ld made of them\n", name, corpus_count, runs);
    nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    for (int i = 0; i < corpus_count; i++) free(corpus[i].bytes);
    free(current.bytes);
    current.bytes = NULL;
    return 0;
}
