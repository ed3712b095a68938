/* Checkpoints that can be trusted.
 *
 * Publishing: rank 0 makes step-N.h5.tmp with everything but the data; every rank writes its part of the data to its
 * place in the file, with plain pwrite, and syncs it; rank 0 reads the whole file back through HDF5 and compares it
 * with memory, because no return code of a write can be believed on every file system; only then is it renamed. Every
 * stage is agreed on before the next, so a failure on any rank leaves the directory as it was.
 *
 * Why not HDF5's MPI-IO driver: its metadata calls and MPI_File_open meet the other ranks inside, so one rank that
 * fails there alone leaves the others waiting for ever (measured: 9 of 71 single faults), and on a full disk it may
 * report success. Datasets are contiguous and in this machine's format, so their place is all one needs.
 *
 * A tensor is written by one rank, whole: its rows are contiguous in the file, and small tensors need no more calls
 * than ranks. Large ones are dealt out by rows. Each dataset carries the hash of its bytes and its place in the
 * digest's order. */
#include "dtrain/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dtrain/clock.h"
#include "dtrain/h5.h"
#include "dtrain/memory.h"
#include "dtrain/rundir.h"
#include "store_internal.h"

#define FORMAT "dtrain checkpoint"
#define SPLIT_BYTES ((size_t)4 << 20) /* tensors above this are written by all ranks together */
#define PIECE_BYTES ((size_t)1 << 29) /* Linux moves less than 2 GiB at once */

/* ---- write ---------------------------------------------------------------------------------------------------------
 */

static dt_status write_head(dt_h5 *file, const dt_state *state, uint64_t digest) {
    char text[32];
    DT_TRY(dt_h5_put_text(file, "/", "format", FORMAT));
    DT_TRY(dt_h5_put_int(file, "/", "version", DT_CHECKPOINT_VERSION));
    DT_TRY(dt_h5_put_int(file, "/", "step", state->position.step));
    DT_TRY(dt_h5_put_int(file, "/", "epoch", state->position.epoch));
    DT_TRY(dt_h5_put_int(file, "/", "sample", state->position.sample));
    DT_TRY(dt_h5_put_int(file, "/", "shards", state->shards));
    DT_TRY(dt_h5_put_int(file, "/", "seed", state->seed));
    DT_TRY(dt_h5_put_int(file, "/", "datasets", dt_state_count(state)));
    dt_digest_text(digest, text);
    DT_TRY(dt_h5_put_text(file, "/", "digest", text));
    dt_digest_text(dt_hash_bytes(state->recipe, strlen(state->recipe)), text);
    DT_TRY(dt_h5_put_text(file, "/", "recipe_hash", text));
    return dt_h5_put_text(file, "/", "recipe", state->recipe);
}

static dt_status write_datasets(dt_h5 *file, const dt_state *state, uint64_t *places) {
    char created[32];
    dt_clock_utc(created);
    DT_TRY(write_head(file, state, dt_state_digest(state)));
    DT_TRY(dt_h5_put_text(file, "/", "created", created));
    DT_TRY(dt_h5_put_text(file, "/", "program", "dtrain " DT_VERSION));
    for (int i = 0; i < dt_state_count(state); i++) {
        dt_item item = dt_state_item(state, i);
        dt_h5_info info;
        char hash[17];
        dt_digest_text(dt_hash_bytes(item.data, item.bytes), hash);
        DT_TRY(dt_h5_create_dataset(file, item.dataset, item.dtype, &item.shape, 0));
        DT_TRY(dt_h5_put_text(file, item.dataset, "hash", hash));
        DT_TRY(dt_h5_put_int(file, item.dataset, "order", i));
        DT_TRY(dt_h5_describe(file, item.dataset, &info));
        places[i] = info.offset;
    }
    return dt_ok();
}

/* Everything but the data, and where that begins. Rank 0. */
static dt_status write_structure(const char *path, const dt_state *state, uint64_t *places) {
    dt_h5 *file;
    DT_TRY(dt_h5_create(&file, path));
    dt_status status = write_datasets(file, state, places);
    if (status.code == DT_OK) return dt_h5_close(&file);
    dt_h5_abandon(&file);
    return status;
}

static dt_status write_bytes(int file, const char *bytes, size_t count, uint64_t place) {
    while (count > 0) {
        ssize_t written = pwrite(file, bytes, count < PIECE_BYTES ? count : PIECE_BYTES, (off_t)place);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return dt_fail(DT_ERR_IO, "writing failed: %s", written < 0 ? strerror(errno) : "no space");
        bytes += written;
        count -= (size_t)written;
        place += (uint64_t)written;
    }
    return dt_ok();
}

/* This rank's part of the data. */
static dt_status write_part(int file, const dt_state *state, const uint64_t *places, int rank, int ranks) {
    for (int i = 0; i < dt_state_count(state); i++) {
        dt_item item = dt_state_item(state, i);
        if (item.bytes == 0) continue;
        int64_t rows = item.shape.rank ? item.shape.dim[0] : 1, first = 0, count = rows;
        if (item.bytes > SPLIT_BYTES && rows >= ranks) {
            first = rows * rank / ranks;
            count = rows * (rank + 1) / ranks - first;
        } else if (i % ranks != rank) {
            continue;
        }
        size_t row_bytes = rows > 0 ? item.bytes / (size_t)rows : 0, skipped = (size_t)first * row_bytes;
        dt_status status =
            write_bytes(file, (char *)item.data + skipped, (size_t)count * row_bytes, places[i] + skipped);
        if (status.code != DT_OK) return dt_status_within(status, "%s", item.dataset);
    }
    return fsync(file) == 0 ? dt_ok() : dt_fail(DT_ERR_IO, "fsync failed: %s", strerror(errno));
}

static dt_status write_data(const char *path, const dt_state *state, const uint64_t *places, int rank, int ranks) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return dt_fail(DT_ERR_IO, "%s: %s", path, strerror(errno));
    dt_status status = write_part(file, state, places, rank, ranks);
    if (close(file) != 0 && status.code == DT_OK) status = dt_fail(DT_ERR_IO, "closing failed: %s", strerror(errno));
    return dt_status_within(status, "%s", path);
}

static dt_status write_file(dt_comm *comm, const char *path, const dt_state *state) {
    int rank = dt_comm_rank(comm), ranks = dt_comm_size(comm);
    size_t count = (size_t)dt_state_count(state);
    uint64_t *places = dt_alloc(count, sizeof *places);
    dt_status status = places ? dt_ok() : dt_fail_memory("a list of datasets", count * sizeof *places);
    status = dt_comm_agree(comm, status);
    if (status.code == DT_OK) status = dt_comm_agree(comm, rank == 0 ? write_structure(path, state, places) : dt_ok());
    if (status.code == DT_OK) status = dt_comm_broadcast(comm, places, count * sizeof *places, 0);
    if (status.code == DT_OK) status = dt_comm_agree(comm, write_data(path, state, places, rank, ranks));
    dt_free(places);
    return status;
}

/* ---- read back ------------------------------------------------------------------------------------------------------
 */

/* Reads one dataset and checks it against `hash`. `data` of `bytes` receives it. */
static dt_status read_item(dt_h5 *file, const dt_item *item, void *data) {
    dt_h5_info info;
    DT_TRY(dt_h5_describe(file, item->dataset, &info));
    char mine[96], theirs[96];
    dt_shape_text(&item->shape, mine);
    dt_shape_text(&info.shape, theirs);
    if (strcmp(mine, theirs) != 0 || info.dtype != item->dtype)
        return dt_fail(DT_ERR_INPUT, "%s: %s is %s %s, but the recipe's is %s %s", dt_h5_path(file), item->dataset,
                       dt_dtype_name(info.dtype), theirs, dt_dtype_name(item->dtype), mine);
    int64_t rows = item->shape.rank ? item->shape.dim[0] : 1;
    DT_TRY(dt_h5_read_rows(file, item->dataset, item->dtype, 0, rows, data));
    char *stored, found[17];
    DT_TRY(dt_h5_get_text(file, item->dataset, "hash", &stored));
    dt_digest_text(dt_hash_bytes(data, item->bytes), found);
    dt_status status = dt_ok();
    if (strcmp(stored, found) != 0)
        status = dt_fail(DT_ERR_CORRUPT, "%s: %s does not match its hash (stored %.16s, read %s)", dt_h5_path(file),
                         item->dataset, stored, found);
    dt_free(stored);
    return status;
}

static dt_status verify_here(const char *path, uint64_t *digest);

/* What was written against what is in memory. */
static dt_status compare_file(const char *path, const dt_state *state) {
    uint64_t digest = 0;
    DT_TRY(verify_here(path, &digest));
    uint64_t expected = dt_state_digest(state);
    if (digest == expected) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: what was read back is not what was written", path);
}

static dt_status commit(const char *temporary, const char *path, const char *directory) {
    if (rename(temporary, path) != 0)
        return dt_fail(DT_ERR_IO, "%s: renaming it to %s failed: %s", temporary, path, strerror(errno));
    return dt_fsync_path(directory);
}

dt_status dt_checkpoint_publish(dt_comm *comm, const char *directory, const dt_state *state, char *path,
                                uint64_t *digest) {
    char name[64], final[4096], temporary[4096 + 8];
    snprintf(name, sizeof name, "step-%09lld.h5", (long long)state->position.step);
    DT_TRY(dt_path_join(final, directory, name));
    snprintf(temporary, sizeof temporary, "%s.tmp", final);
    bool first = dt_comm_rank(comm) == 0;
    dt_status status = write_file(comm, temporary, state);
    if (status.code == DT_OK) status = dt_comm_agree(comm, first ? compare_file(temporary, state) : dt_ok());
    if (status.code == DT_OK) status = dt_comm_agree(comm, first ? commit(temporary, final, directory) : dt_ok());
    if (status.code != DT_OK) {
        if (first) unlink(temporary);
        return dt_status_within(status, "the checkpoint of step %lld was not written (older ones are untouched)",
                                (long long)state->position.step);
    }
    if (path) snprintf(path, 4096, "%s", final);
    if (digest) *digest = dt_state_digest(state);
    return dt_ok();
}

/* ---- read -----------------------------------------------------------------------------------------------------------
 */

static dt_status read_head(dt_h5 *file, dt_checkpoint_head *head) {
    char *text;
    memset(head, 0, sizeof *head);
    if (!dt_h5_has_attribute(file, "/", "format"))
        return dt_fail(DT_ERR_CORRUPT, "%s: not a dtrain checkpoint (it has no `format`)", dt_h5_path(file));
    DT_TRY(dt_h5_get_text(file, "/", "format", &text));
    bool ours = strcmp(text, FORMAT) == 0;
    dt_status status =
        ours ? dt_ok() : dt_fail(DT_ERR_CORRUPT, "%s: a %.40s, not a %s", dt_h5_path(file), text, FORMAT);
    dt_free(text);
    DT_TRY(status);
    int64_t version;
    DT_TRY(dt_h5_get_int(file, "/", "version", &version));
    if (version != DT_CHECKPOINT_VERSION)
        return dt_fail(DT_ERR_CORRUPT, "%s: format version %lld; this dtrain reads version %d", dt_h5_path(file),
                       (long long)version, DT_CHECKPOINT_VERSION);
    DT_TRY(dt_h5_get_int(file, "/", "step", &head->position.step));
    DT_TRY(dt_h5_get_int(file, "/", "epoch", &head->position.epoch));
    DT_TRY(dt_h5_get_int(file, "/", "sample", &head->position.sample));
    DT_TRY(dt_h5_get_int(file, "/", "shards", &head->shards));
    DT_TRY(dt_h5_get_int(file, "/", "seed", &head->seed));
    DT_TRY(dt_h5_get_text(file, "/", "digest", &text));
    char *end;
    head->digest = strtoull(text, &end, 16);
    bool whole = end != text && *end == '\0';
    dt_free(text);
    if (!whole || head->shards < 1 || head->position.step < 0 || head->position.epoch < 0 || head->position.sample < 0)
        return dt_fail(DT_ERR_CORRUPT, "%s: its attributes make no sense", dt_h5_path(file));
    DT_TRY(dt_h5_get_text(file, "/", "created", &text));
    snprintf(head->created, sizeof head->created, "%s", text);
    dt_free(text);
    DT_TRY(dt_h5_get_text(file, "/", "program", &text));
    snprintf(head->program, sizeof head->program, "%s", text);
    dt_free(text);
    return dt_ok();
}

static dt_status read_recipe(dt_h5 *file, dt_checkpoint_head *head) {
    char *stored, found[17];
    DT_TRY(dt_h5_get_text(file, "/", "recipe", &head->recipe));
    DT_TRY(dt_h5_get_text(file, "/", "recipe_hash", &stored));
    dt_digest_text(dt_hash_bytes(head->recipe, strlen(head->recipe)), found);
    dt_status status = dt_ok();
    if (strcmp(stored, found) != 0)
        status = dt_fail(DT_ERR_CORRUPT, "%s: the recipe does not match its hash (stored %.16s, read %s)",
                         dt_h5_path(file), stored, found);
    dt_free(stored);
    return status;
}

static dt_status open_checkpoint(dt_h5 **file, const char *path, dt_checkpoint_head *head) {
    memset(head, 0, sizeof *head);
    DT_TRY(dt_h5_open(file, path));
    dt_status status = read_head(*file, head);
    if (status.code == DT_OK) status = read_recipe(*file, head);
    if (status.code == DT_OK) return status;
    dt_checkpoint_head_finish(head);
    dt_h5_close(file);
    return status;
}

dt_status dt_checkpoint_head_read(const char *path, dt_checkpoint_head *head) {
    dt_h5 *file;
    DT_TRY(open_checkpoint(&file, path, head));
    return dt_h5_close(&file);
}

void dt_checkpoint_head_finish(dt_checkpoint_head *head) {
    dt_free(head->recipe);
    head->recipe = NULL;
}

static dt_status fail_digest(const char *path, uint64_t stored, uint64_t found) {
    return dt_fail(DT_ERR_CORRUPT,
                   "%s: its digest does not match (stored %016llx, read %016llx): an attribute was changed", path,
                   (unsigned long long)stored, (unsigned long long)found);
}

static dt_status load_items(dt_h5 *file, dt_state *state, bool part) {
    for (int i = 0; i < dt_state_count(state); i++) {
        dt_item item = dt_state_item(state, i);
        DT_TRY(read_item(file, &item, item.data));
    }
    int64_t datasets;
    DT_TRY(dt_h5_get_int(file, "/", "datasets", &datasets));
    if (!part && datasets != dt_state_count(state))
        return dt_fail(DT_ERR_INPUT, "%s: it has %lld datasets, but the recipe makes %d: another network or optimizer",
                       dt_h5_path(file), (long long)datasets, dt_state_count(state));
    return dt_ok();
}

dt_status dt_checkpoint_load(const char *path, dt_state *state, bool part) {
    dt_h5 *file;
    dt_checkpoint_head head;
    DT_TRY(open_checkpoint(&file, path, &head));
    dt_checkpoint_head_finish(&head);
    dt_status status = load_items(file, state, part);
    dt_status closed = dt_h5_close(&file);
    if (status.code == DT_OK) status = closed;
    DT_TRY(status);
    state->position = head.position;
    state->shards = head.shards;
    state->seed = head.seed;
    if (part) return dt_ok();
    uint64_t digest = dt_state_digest(state);
    return digest == head.digest ? dt_ok() : fail_digest(path, head.digest, digest);
}

/* ---- verify ---------------------------------------------------------------------------------------------------------
 */

/* Datasets found by a walk, by their `order`. */
typedef struct found_items {
    dt_h5 *file;
    dt_status status;
    int64_t expected;
    dt_item *items; /* [expected] */
    size_t file_bytes;
} found_items;

static bool find_item(void *context, const char *path, char kind) {
    found_items *found = context;
    if (kind != 'd') return true;
    int64_t order = -1;
    found->status = dt_h5_get_int(found->file, path, "order", &order);
    if (found->status.code != DT_OK) return false;
    if (order < 0 || order >= found->expected || found->items[order].dataset[0]) {
        found->status = dt_fail(DT_ERR_CORRUPT, "%s: %s has no place in the digest", dt_h5_path(found->file), path);
        return false;
    }
    dt_item *item = &found->items[order];
    dt_h5_info info;
    found->status = dt_h5_describe(found->file, path, &info);
    if (found->status.code != DT_OK) return false;
    snprintf(item->dataset, sizeof item->dataset, "%s", path);
    item->dtype = info.dtype;
    item->shape = info.shape;
    item->bytes = (size_t)dt_shape_count(&info.shape) * dt_dtype_size(info.dtype);
    if (info.chunk_rows == 0 && item->bytes > found->file_bytes)
        found->status = dt_fail(DT_ERR_CORRUPT, "%s: %s claims %zu bytes, more than the file has",
                                dt_h5_path(found->file), path, item->bytes);
    return found->status.code == DT_OK;
}

static dt_status verify_items(found_items *found, dt_digest *digest) {
    for (int64_t i = 0; i < found->expected; i++) {
        dt_item *item = &found->items[i];
        if (!item->dataset[0])
            return dt_fail(DT_ERR_CORRUPT, "%s: dataset number %lld is missing", dt_h5_path(found->file), (long long)i);
        void *data = dt_alloc(item->bytes, 1);
        if (!data) return dt_fail_memory("a dataset", item->bytes);
        dt_status status = read_item(found->file, item, data);
        if (status.code == DT_OK) dt_digest_add(digest, item->dataset, dt_hash_bytes(data, item->bytes));
        dt_free(data);
        DT_TRY(status);
    }
    return dt_ok();
}

static dt_status verify_open(dt_h5 *file, const dt_checkpoint_head *head, uint64_t *digest) {
    struct stat info;
    if (stat(dt_h5_path(file), &info) != 0) return dt_fail(DT_ERR_IO, "%s: %s", dt_h5_path(file), strerror(errno));
    found_items found = {.file = file, .file_bytes = (size_t)info.st_size};
    DT_TRY(dt_h5_get_int(file, "/", "datasets", &found.expected));
    if (found.expected < 1 || found.expected > 1000000)
        return dt_fail(DT_ERR_CORRUPT, "%s: it claims %lld datasets", dt_h5_path(file), (long long)found.expected);
    found.items = dt_alloc((size_t)found.expected, sizeof *found.items);
    if (!found.items) return dt_fail_memory("a list of datasets", (size_t)found.expected * sizeof *found.items);
    dt_digest running;
    dt_digest_begin(&running, &head->position, head->shards, head->seed);
    dt_status status = dt_h5_walk(file, find_item, &found);
    if (status.code == DT_OK) status = found.status;
    if (status.code == DT_OK) status = verify_items(&found, &running);
    dt_free(found.items);
    DT_TRY(status);
    if (running.value != head->digest) return fail_digest(dt_h5_path(file), head->digest, running.value);
    *digest = running.value;
    return dt_ok();
}

static dt_status verify_here(const char *path, uint64_t *digest) {
    dt_h5 *file;
    dt_checkpoint_head head;
    DT_TRY(open_checkpoint(&file, path, &head));
    dt_status status = verify_open(file, &head, digest);
    dt_checkpoint_head_finish(&head);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

/* HDF5 1.10 can crash, or go round in circles, on damaged metadata: that is to end a child process, not the run. */
typedef struct verdict {
    dt_status status;
    uint64_t digest;
} verdict;

static void limit_child(const char *path) {
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU};
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) signal(crashes[i], SIG_DFL); /* MPI has its own */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    struct stat info;
    struct rlimit time;
    if (stat(path, &info) == 0 && getrlimit(RLIMIT_CPU, &time) == 0) {
        rlim_t enough = 60 + ((rlim_t)info.st_size >> 23);
        if (enough < time.rlim_cur) time.rlim_cur = enough;
        setrlimit(RLIMIT_CPU, &time);
    }
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, STDERR_FILENO); /* for what the C library says of a broken heap */
}

static void verify_in_child(const char *path, int answer) {
    verdict v;
    memset(&v, 0, sizeof v);
    limit_child(path);
    v.status = verify_here(path, &v.digest);
    _exit(write(answer, &v, sizeof v) == (ssize_t)sizeof v ? 0 : 1);
}

/* The verdict, shorter than what a pipe takes at once. */
static bool receive(int answer, verdict *v) {
    ssize_t got;
    do got = read(answer, v, sizeof *v);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof *v;
}

static dt_status await_verdict(const char *path, pid_t child, int answer, uint64_t *digest) {
    verdict v;
    int ended = 0;
    bool received = receive(answer, &v);
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR) continue;
    if (!received)
        return dt_fail(DT_ERR_CORRUPT, "%s: the process that read it ended with signal %d: the file is damaged", path,
                       WIFSIGNALED(ended) ? WTERMSIG(ended) : 0);
    *digest = v.digest;
    return v.status;
}

dt_status dt_checkpoint_verify(const char *path, uint64_t *digest) {
    uint64_t found = 0;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return dt_fail(DT_ERR_IO, "%s: no pipe: %s", path, strerror(errno));
    pid_t child = fork();
    if (child == 0) verify_in_child(path, ends[1]);
    close(ends[1]);
    dt_status status = child > 0 ? await_verdict(path, child, ends[0], &found) : verify_here(path, &found);
    close(ends[0]);
    if (digest) *digest = found;
    return status;
}

/* ---- directory ------------------------------------------------------------------------------------------------------
 */

/* The step of "step-000000042.h5"; -1 for other names. */
static int64_t step_of(const char *name) {
    if (strncmp(name, "step-", 5) != 0) return -1;
    size_t digits = strspn(name + 5, "0123456789");
    if (digits < 1 || digits > 18 || strcmp(name + 5 + digits, ".h5") != 0) return -1;
    return strtoll(name + 5, NULL, 10);
}

static int newer_first(const void *a, const void *b) {
    int64_t x = step_of(strrchr(a, '/') + 1), y = step_of(strrchr(b, '/') + 1);
    return (x < y) - (x > y);
}

dt_status dt_checkpoint_list(const char *directory, char (**paths)[4096], int *count) {
    *paths = NULL;
    *count = 0;
    DIR *dir = opendir(directory);
    if (!dir && errno == ENOENT) return dt_ok();
    if (!dir) return dt_fail(DT_ERR_IO, "%s: %s", directory, strerror(errno));
    dt_status status = dt_ok();
    int capacity = 0;
    while (status.code == DT_OK) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry && errno) status = dt_fail(DT_ERR_IO, "%s: cannot be listed: %s", directory, strerror(errno));
        if (!entry) break;
        if (step_of(entry->d_name) < 0) continue;
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            char(*grown)[4096] = realloc(*paths, (size_t)capacity * sizeof *grown);
            if (!grown) {
                status = dt_fail_memory("a list of checkpoints", (size_t)capacity * sizeof *grown);
                break;
            }
            *paths = grown;
        }
        status = dt_path_join((*paths)[*count], directory, entry->d_name);
        ++*count;
    }
    closedir(dir);
    if (status.code == DT_OK && *count > 1) qsort(*paths, (size_t)*count, sizeof **paths, newer_first);
    if (status.code == DT_OK) return status;
    dt_free(*paths);
    *paths = NULL;
    *count = 0;
    return status;
}

static void remove_leftovers(const char *directory) {
    DIR *dir = opendir(directory);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name);
        char path[4096];
        if (length > 7 && strcmp(entry->d_name + length - 7, ".h5.tmp") == 0 &&
            dt_path_join(path, directory, entry->d_name).code == DT_OK)
            unlink(path);
    }
    closedir(dir);
}

dt_status dt_checkpoint_prune(const char *directory, int64_t keep, int64_t keep_every, int64_t keep_step) {
    remove_leftovers(directory);
    char(*paths)[4096];
    int count;
    if (keep <= 0) return dt_ok();
    DT_TRY(dt_checkpoint_list(directory, &paths, &count));
    for (int i = 0; i < count; i++) {
        int64_t step = step_of(strrchr(paths[i], '/') + 1);
        if (i < keep || step == keep_step || (keep_every > 0 && step > 0 && step % keep_every == 0)) continue;
        if (unlink(paths[i]) != 0 && errno != ENOENT) {
            dt_status status = dt_fail(DT_ERR_IO, "%s: cannot be removed: %s", paths[i], strerror(errno));
            dt_free(paths);
            return status;
        }
    }
    dt_free(paths);
    return dt_ok();
}
