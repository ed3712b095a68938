#include "store/links.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/memory.h"
#include "metrics_row.h"
#include "store/checkpoint.h"

#define LONGEST ((size_t)65536) /* bytes of a line; a longer one is passed over */
#define MOST_ROWS ((int64_t)1 << 26)

const char *const dt_link_columns[] = {"step", "digest_high", "digest_low", "link_high", "link_low", NULL};
static const char *const epoch_columns[] = {"step", NULL};
static const dt_metrics_series chain = {DT_LINK_SERIES, dt_link_columns}, epoch = {"epoch", epoch_columns};

uint64_t dt_link_value(uint64_t before, uint64_t step, uint64_t digest) {
    const uint64_t words[] = {before, step, digest};
    return XXH3_64bits(words, sizeof words);
}

/* ---- rows ---- */

/* Room for one more element. */
static dt_status grow(void **array, int64_t count, size_t size) {
    if (count & (count - 1)) return dt_ok();
    if (count >= MOST_ROWS)
        return dt_fail(DT_ERR_CORRUPT, "metrics.jsonl: more than %lld rows of a series", (long long)MOST_ROWS);
    size_t room = count == 0 ? 1 : 2 * (size_t)count;
    void *larger = dt_alloc(room, size);
    if (!larger) return dt_fail_memory("the rows of metrics.jsonl", room * size);
    if (count > 0) memcpy(larger, *array, (size_t)count * size);
    dt_free(*array);
    *array = larger;
    return dt_ok();
}

static bool is_whole(double value, double most) {
    return value >= 0 && value <= most && rint(value) == value;
}

static uint64_t joined(double high, double low) {
    return (uint64_t)high << 32 | (uint64_t)low;
}

static dt_status take_link(dt_links *links, const double *values) {
    bool sound = is_whole(values[0], 0x1p53);
    for (int i = 1; i < 5; i++) sound = sound && is_whole(values[i], UINT32_MAX);
    links->odd += !sound;
    if (!sound) return dt_ok();
    void *rows = links->rows;
    dt_status status = grow(&rows, links->count, sizeof *links->rows);
    links->rows = rows;
    DT_TRY(status);
    links->rows[links->count++] =
        (dt_link_row){(int64_t)values[0], joined(values[1], values[2]), joined(values[3], values[4])};
    return dt_ok();
}

static dt_status take_evaluation(dt_links *links, double step) {
    if (!is_whole(step, 0x1p53)) return dt_ok();
    void *steps = links->evaluated;
    dt_status status = grow(&steps, links->evaluations, sizeof *links->evaluated);
    links->evaluated = steps;
    DT_TRY(status);
    links->evaluated[links->evaluations++] = (int64_t)step;
    return dt_ok();
}

static dt_status take_line(dt_links *links, const char *line, size_t length) {
    double values[5];
    if (dt_metrics_row_is_of(line, &chain)) {
        if (dt_metrics_row_take(line, length, &chain, values)) return take_link(links, values);
        links->odd++;
    } else if (dt_metrics_row_is_of(line, &epoch) && dt_metrics_row_take(line, length, &epoch, values)) {
        return take_evaluation(links, values[0]);
    }
    return dt_ok();
}

/* A line that is longer than the buffer is passed over, and counted once. */
static dt_status take_lines(dt_links *links, FILE *file, char *line) {
    bool within = false;
    while (fgets(line, (int)LONGEST, file)) {
        size_t length = strlen(line);
        bool ends = length > 0 && line[length - 1] == '\n', whole = ends && !within;
        links->odd += !ends && !within;
        within = !ends;
        if (whole) DT_TRY(take_line(links, line, length));
    }
    return ferror(file) ? dt_fail(DT_ERR_IO, "it cannot be read: %s", strerror(errno)) : dt_ok();
}

dt_status dt_links_read(const char *run, dt_links *links) {
    memset(links, 0, sizeof *links);
    char path[4096], *line = dt_alloc(LONGEST, 1);
    int fd = -1;
    FILE *file = NULL;
    if (!line) return dt_fail_memory("a line", LONGEST);
    dt_status status = dt_path_join(path, run, "metrics.jsonl");
    if (status.code == DT_OK) status = dt_file_open(path, &fd, NULL);
    if (status.code == DT_OK && !(file = fdopen(fd, "r"))) {
        status = dt_fail(DT_ERR_IO, "%s: %s", path, strerror(errno));
        close(fd);
    }
    if (file) {
        status = dt_status_within(take_lines(links, file, line), "%s", path);
        fclose(file);
    }
    dt_free(line);
    return status;
}

void dt_links_finish(dt_links *links) {
    dt_free(links->rows);
    dt_free(links->evaluated);
    memset(links, 0, sizeof *links);
}

/* ---- of a checkpoint ---- */

dt_status dt_link_of_checkpoint(const char *path, dt_link *link) {
    memset(link, 0, sizeof *link);
    dt_beside beside = {.array = {"chain", DT_U64, sizeof *link / sizeof(uint64_t), link}};
    dt_state state = {.beside = &beside, .beside_count = 1};
    DT_TRY(dt_checkpoint_load(path, &state, true));
    if (!beside.found) memset(link, 0, sizeof *link);
    return dt_ok();
}
