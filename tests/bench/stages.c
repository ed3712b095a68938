/* Where the processor time of a checkpoint goes, stage by stage: build/tests/bench_stages FILE [MB [ROUNDS [ARRAYS]]]
 * (256, 5, 3). One rank, so many arrays of so many MB, as a network's weights and moments are; seconds per GB, of the
 * program and of the system in its name. Medians; prints and never fails. FILE is made, and removed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/outline.h"
#include "store/part.h"

enum { COPY, OUTLINE, HASH, SEAL, WRITE, READ, STAGES };
enum { MOST_ROUNDS = 100, MOST_ARRAYS = 10000 };
static const char *const names[STAGES] = {"copy", "outline", "hash", "hashes filled in", "write and sync", "read back"};

typedef struct spent {
    double program, system;
} spent;

static spent now(void) {
    struct rusage used;
    getrusage(RUSAGE_THREAD, &used);
    return (spent){(double)used.ru_utime.tv_sec + 1e-6 * (double)used.ru_utime.tv_usec,
                   (double)used.ru_stime.tv_sec + 1e-6 * (double)used.ru_stime.tv_usec};
}

static void must(dt_status status) {
    if (status.code == DT_OK) return;
    fprintf(stderr, "%s\n", status.message);
    exit(1);
}

static bool go_on(void *context) {
    (void)context;
    return true;
}

static dt_status stage(int number, dt_part *part, dt_outline *outline, void *copy) {
    const dt_pause pause = {go_on, NULL};
    switch (number) {
    case COPY: dt_part_copy(part, outline, copy); return dt_ok();
    case OUTLINE: return dt_outline_make(outline);
    case HASH: return dt_part_hash(part, outline, pause);
    case SEAL: return dt_outline_seal(outline);
    case WRITE: return dt_part_write(part, outline, pause);
    default: return dt_part_read_back(part, outline, pause);
    }
}

static void one_round(dt_outline *outline, dt_part *part, void *const *arrays, void *copy, spent *row) {
    for (int64_t i = 0; i < outline->count; i++) outline->items[i].data = arrays[i];
    for (int i = 0; i < STAGES; i++) {
        spent before = now();
        must(stage(i, part, outline, copy));
        spent after = now();
        row[i] = (spent){after.program - before.program, after.system - before.system};
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const spent *all, int rounds, int number, bool system) {
    double sorted[MOST_ROUNDS];
    for (int i = 0; i < rounds; i++) {
        const spent *one = &all[i * STAGES + number];
        sorted[i] = system ? one->system : one->program;
    }
    qsort(sorted, (size_t)rounds, sizeof *sorted, ascending);
    return sorted[rounds / 2];
}

static void print(const spent *all, int rounds, double gigabytes) {
    double sum = 0;
    for (int i = 0; i < STAGES; i++) {
        double program = median(all, rounds, i, false) / gigabytes, system = median(all, rounds, i, true) / gigabytes;
        printf("%-17s %.4f s/GB, and %.4f of the system\n", names[i], program, system);
        sum += program + system;
    }
    printf("%-17s %.4f s/GB\n", "all", sum);
}

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "stages FILE [MB [ROUNDS [ARRAYS]]]\n"), 2;
    const size_t bytes = (size_t)(argc > 2 ? atoi(argv[2]) : 256) << 20;
    int rounds = argc > 3 ? atoi(argv[3]) : 5, count = argc > 4 ? atoi(argv[4]) : 3;
    if (rounds < 1 || rounds > MOST_ROUNDS || count < 1 || count > MOST_ARRAYS || bytes == 0)
        return fprintf(stderr, "1 MB, 1 to 100 rounds, 1 to 10000 arrays\n"), 2;
    static spent all[MOST_ROUNDS * STAGES];
    static dt_item items[MOST_ARRAYS];
    static uint64_t hashes[MOST_ARRAYS], offsets[MOST_ARRAYS];
    static void *arrays[MOST_ARRAYS];
    dt_outline outline = {.digested = count, .count = count, .shards = 1};
    void *copy = dt_alloc((size_t)count, bytes);
    outline.items = items;
    outline.hashes = hashes;
    outline.offsets = offsets;
    snprintf(outline.path, sizeof outline.path, "%s", argv[1]);
    for (int i = 0; i < count; i++) {
        arrays[i] = dt_alloc(1, bytes);
        if (!arrays[i] || !copy) return fprintf(stderr, "no memory\n"), 1;
        for (size_t at = 0; at < bytes / 4; at++)
            ((uint32_t *)arrays[i])[at] = (uint32_t)(at * 2654435761U + (size_t)i);
        items[i] = (dt_item){.dtype = DT_F32, .shape = {1, {(int64_t)(bytes / 4)}}, .bytes = bytes};
        snprintf(items[i].dataset, sizeof items[i].dataset, "/weights/%d", i);
    }
    dt_part part;
    must(dt_part_open(&part, &outline, 0, 1));
    for (int i = 0; i < rounds; i++) one_round(&outline, &part, arrays, copy, all + i * STAGES);
    print(all, rounds, count * (double)bytes / 1e9);
    unlink(argv[1]);
    return 0;
}
