/* A site that others keep waiting ends with what it has trained of the round in a file, RUN/site/trained, and when it
 * is started again takes it from there. Without such a file, or with one of another state, it trains again, to the same
 * bits. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/publish.h"
#include "rounds.h"

/* What precedes the bytes of what the site keeps, and of its words. */
typedef struct trained {
    char magic[8];
    uint64_t bytes; /* that follow */
    uint64_t common, recipe, weight;
    int64_t round, site, skipped;
    double rate; /* for the log */
    dt_tally tally;
    uint64_t hash; /* of what follows */
} trained;

/* Part `index` of it, and how many bytes it has, which may be none. */
static void *part_of(const dt_rounds *r, int place, int index, size_t *bytes) {
    if (index == DT_KEPT_COUNT) {
        *bytes = r->plan.count * sizeof *r->words;
        return r->words;
    }
    *bytes = r->kept[index].elements * dt_dtype_size(r->kept[index].dtype);
    return dt_kept_next(&r->kept[index], place);
}

/* As one array, or out of it. */
static void move_all(const dt_rounds *r, int place, char *all, bool out) {
    for (int i = 0; i <= DT_KEPT_COUNT; i++) {
        size_t bytes;
        void *part = part_of(r, place, i, &bytes);
        if (bytes > 0 && out) memcpy(part, all, bytes);
        if (bytes > 0 && !out) memcpy(all, part, bytes);
        all += bytes;
    }
}

static size_t size_of_all(const dt_rounds *r) {
    size_t all = r->plan.count * sizeof *r->words;
    for (int i = 0; i < DT_KEPT_COUNT; i++) all += r->kept[i].elements * dt_dtype_size(r->kept[i].dtype);
    return all;
}

static trained head_of(const dt_rounds *r, const dt_round *round, size_t bytes) {
    return (trained){.magic = {'d', 't', 'r', 'o', 'u', 'n', 'd', '1'},
                     .bytes = bytes,
                     .common = round->common,
                     .recipe = round->recipe,
                     .round = round->number,
                     .site = r->mine};
}

static int place_of_mine(const dt_rounds *r) {
    for (int place = 0; place < r->chosen; place++)
        if (r->now.site[place] == r->mine) return place;
    return -1;
}

static dt_status name_file(const dt_session *session, char path[4096]) {
    char directory[4096];
    DT_TRY(dt_path_join(directory, session->directory, "site"));
    return dt_path_join(path, directory, "trained");
}

/* ---- writing ---- */

static dt_status write_bytes(int fd, const char *path, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t done = write(fd, bytes, count);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
        bytes += done;
        count -= (size_t)done;
    }
    return dt_ok();
}

typedef struct content {
    const trained *head;
    const char *bytes;
} content;

static dt_status write_file(void *context, const char *path) {
    const content *own = context;
    int fd;
    DT_TRY(dt_file_create(path, &fd));
    dt_status status = write_bytes(fd, path, (const char *)own->head, sizeof *own->head);
    if (status.code == DT_OK) status = write_bytes(fd, path, own->bytes, own->head->bytes);
    close(fd);
    return status;
}

void dt_rounds_keep_trained(const dt_rounds *r, const dt_session *session, const dt_round *round) {
    const int place = place_of_mine(r);
    char path[4096];
    size_t bytes = size_of_all(r);
    if (place < 0) return;
    char *all = dt_alloc(bytes, 1);
    trained head = head_of(r, round, bytes);
    head.weight = r->now.weight;
    head.rate = r->trainee.rate;
    head.skipped = r->now.skipped;
    head.tally = r->now.tally[place];
    dt_status status = all ? name_file(session, path) : dt_fail_memory("what was trained", bytes);
    if (status.code == DT_OK) {
        move_all(r, place, all, false);
        head.hash = XXH3_64bits(all, bytes);
        status = dt_publish_file(path, write_file, &(content){&head, all});
    }
    dt_free(all);
    if (status.code != DT_OK) dt_log_warn("%s; the round is trained again when the run goes on", status.message);
}

/* ---- reading ---- */

static bool read_bytes(int fd, char *bytes, size_t count) {
    while (count > 0) {
        ssize_t more = read(fd, bytes, count);
        if (more < 0 && errno == EINTR) continue;
        if (more <= 0) return false;
        bytes += more;
        count -= (size_t)more;
    }
    return true;
}

/* Rank 0: whether there is one, of this round and state, and whole. */
static bool read_file(const dt_session *session, const trained *wanted, trained *head, char *all) {
    char path[4096];
    int fd;
    int64_t bytes;
    if (name_file(session, path).code != DT_OK || access(path, F_OK) != 0) return false;
    if (dt_file_open(path, &fd, &bytes).code != DT_OK) return false;
    bool usable = bytes == (int64_t)(sizeof *head + wanted->bytes) && read_bytes(fd, (char *)head, sizeof *head) &&
                  memcmp(head->magic, wanted->magic, sizeof head->magic) == 0 && head->bytes == wanted->bytes &&
                  head->common == wanted->common && head->recipe == wanted->recipe && head->round == wanted->round &&
                  head->site == wanted->site && read_bytes(fd, all, wanted->bytes) &&
                  XXH3_64bits(all, wanted->bytes) == head->hash;
    close(fd);
    return usable;
}

dt_status dt_rounds_recall_trained(dt_rounds *r, const dt_session *session, const dt_round *round, int place,
                                   uint64_t *weight) {
    size_t bytes = size_of_all(r);
    char *all = dt_alloc(bytes, 1);
    trained head = {.bytes = 0}, wanted = head_of(r, round, bytes);
    dt_status status = dt_session_agree(session, all ? dt_ok() : dt_fail_memory("what was trained", bytes));
    *weight = 0;
    if (status.code == DT_OK && session->first && !read_file(session, &wanted, &head, all)) head.bytes = 0;
    if (status.code == DT_OK) status = dt_ranks_broadcast(&session->ranks, &head, sizeof head, 0);
    if (status.code == DT_OK && head.bytes > 0) {
        status = dt_ranks_broadcast(&session->ranks, all, bytes, 0);
        if (dt_node_rank(r->session.node) == 0) move_all(r, place, all, true);
        dt_node_meet(r->session.node);
        *weight = head.weight;
        r->trainee.rate = head.rate;
        if (session->first) {
            r->now.tally[place] = head.tally;
            r->now.skipped = head.skipped;
        }
    }
    dt_free(all);
    return status;
}
