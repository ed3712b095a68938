/* Checkpoints on any number of ranks: what is published is what comes back, bit by bit, whoever wrote it and whoever
 * reads it; what is damaged, cut short, something else or another network's is refused by name, with the same message
 * on every rank; and a directory holds what it held before when publishing fails. */
#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/ranks.h"
#include "../support/sample.h"
#include "base/memory.h"
#include "store/h5.h"
#include "store/publish.h"

static char directory[64];

static bool leads(void) {
    return dt_comm_rank(world) == 0;
}

/* A directory of rank 0's making, on all ranks. */
static void enter_directory(void) {
    snprintf(directory, sizeof directory, "/tmp/dtrain-test-XXXXXX");
    bool made = !leads() || mkdtemp(directory) != NULL;
    ranks_assert(made);
    ranks_assert_ok(dt_comm_broadcast(world, directory, sizeof directory, 0));
}

static const char *path_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static const char *step_path(int step) {
    char name[64];
    snprintf(name, sizeof name, "step-%09d.h5", step);
    return path_of(name);
}

/* Removes what tests may leave: nothing else is there, or the directory stays and the assertion says so. */
static void leave_directory(void) {
    ranks_assert_ok(dt_comm_barrier(world));
    bool gone = true;
    if (leads()) {
        for (int step = 0; step < 100; step++) unlink(step_path(step));
        rmdir(step_path(99));
        gone = rmdir(directory) == 0;
    }
    ranks_assert(gone);
}

/* The same message on every rank. */
static bool same_everywhere(dt_status status) {
    uint64_t hash = 1469598103934665603U, all[64];
    for (const char *c = status.message; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211U;
    hash ^= (uint64_t)status.code;
    if (dt_comm_gather_u64(world, hash, all).code != DT_OK) return false;
    for (int i = 0; i < dt_comm_size(world); i++)
        if (all[i] != hash) return false;
    return true;
}

static bool fails_with(dt_status status, dt_code code, const char *first, const char *second) {
    bool right = status.code == code && strstr(status.message, first) && strstr(status.message, second);
    if (!right && leads())
        fprintf(stderr, "expected code %d, \"%s\" and \"%s\", got %d: %s\n", code, first, second, status.code,
                status.message);
    return same_everywhere(status) && right;
}

/* ---- published and loaded ---- */

static void publish(sample_size size, int step) {
    sample s;
    sample_init(&s, size, step);
    ranks_assert_ok(dt_checkpoint_publish(&ranks, directory, &s.state, NULL, NULL));
    sample_finish(&s);
}

/* Fills a state from the file of `step` as a run does: rank 0 reads, all agree. */
static dt_status load(sample *s, int step) {
    return dt_comm_agree(world, leads() ? dt_checkpoint_load(step_path(step), &s->state, false) : dt_ok());
}

START_TEST(what_is_published_is_what_every_rank_loads) {
    sample s, other;
    char path[4096] = "";
    uint64_t digest = 0, verified = 1, all[64];
    sample_init(&s, (sample_size)_i, 57);
    ranks_assert_ok(dt_checkpoint_publish(&ranks, directory, &s.state, path, &digest));
    ranks_assert(strcmp(path, step_path(57)) == 0);
    ranks_assert(sample_is_whole(&s, (sample_size)_i) && digest == dt_state_digest(&s.state));
    ranks_assert_ok(dt_comm_gather_u64(world, digest, all));
    ranks_assert(all[0] == digest);

    ranks_assert_ok(dt_checkpoint_verify(path, &verified));
    ranks_assert(verified == digest);
    sample_init(&other, (sample_size)_i, 0);
    other.state.shards = other.state.seed = 0;
    ranks_assert_ok(dt_checkpoint_load(path, &other.state, false));
    ranks_assert(other.state.position.step == 57 && other.state.shards == 8 && other.state.seed == 42);
    ranks_assert(sample_is_whole(&other, (sample_size)_i));
    ranks_assert(access(path_of("step-000000057.h5.tmp"), F_OK) != 0);
    sample_finish(&s);
    sample_finish(&other);
}
END_TEST

START_TEST(the_head_says_what_the_state_was) {
    sample s;
    dt_checkpoint_head head;
    uint64_t digest = 0;
    sample_init(&s, SAMPLE_ODD, 57);
    ranks_assert_ok(dt_checkpoint_publish(&ranks, directory, &s.state, NULL, &digest));
    ranks_assert_ok(dt_checkpoint_head_read(step_path(57), &head));
    ranks_assert(head.position.step == 57 && head.position.epoch == 5 && head.position.sample == 7 * 64);
    ranks_assert(head.shards == 8 && head.seed == 42 && head.digest == digest);
    ranks_assert(strcmp(head.recipe, s.state.recipe) == 0 && strcmp(head.program, "dtrain " DT_VERSION) == 0);
    ranks_assert(strlen(head.created) == strlen("2024-02-29T12:00:00Z"));
    dt_checkpoint_head_finish(&head);
    ranks_assert(!head.recipe);
    sample_finish(&s);
}
END_TEST

/* One rank alone and all ranks together write the same datasets, hashes and digest. */
START_TEST(the_file_does_not_depend_on_who_wrote_it) {
    sample s;
    dt_ranks alone = dt_ranks_alone();
    uint64_t together = 0, single = 1;
    publish((sample_size)_i, 30);
    ranks_assert_ok(dt_checkpoint_verify(step_path(30), &together));
    ranks_assert_ok(dt_comm_barrier(world));
    sample_init(&s, (sample_size)_i, 30);
    ranks_assert_ok(leads() ? dt_checkpoint_publish(&alone, directory, &s.state, NULL, NULL) : dt_ok());
    ranks_assert_ok(dt_checkpoint_verify(step_path(30), &single));
    ranks_assert(single == together);
    dt_status status = load(&s, 30);
    ranks_assert_ok(status);
    ranks_assert(sample_is_whole(&s, (sample_size)_i));
    sample_finish(&s);
}
END_TEST

START_TEST(a_step_published_again_replaces_its_file) {
    sample s;
    publish(SAMPLE_NETWORK, 7);
    sample_init(&s, SAMPLE_ODD, 7);
    ranks_assert_ok(dt_checkpoint_publish(&ranks, directory, &s.state, NULL, NULL));
    ranks_assert_ok(load(&s, 7));
    ranks_assert(!leads() || sample_is_whole(&s, SAMPLE_ODD));
    sample_finish(&s);
}
END_TEST

START_TEST(a_leftover_of_a_killed_job_is_written_over) {
    bool made = true;
    if (leads()) {
        FILE *left = fopen(path_of("step-000000007.h5.tmp"), "wb");
        made = left && fputs("half a checkpoint", left) >= 0;
        made = left && fclose(left) == 0 && made;
    }
    ranks_assert(made);
    publish(SAMPLE_ODD, 7);
    ranks_assert_ok(dt_checkpoint_verify(step_path(7), NULL));
    ranks_assert(access(path_of("step-000000007.h5.tmp"), F_OK) != 0);
}
END_TEST

START_TEST(a_part_can_be_loaded) {
    sample s, stored;
    publish(SAMPLE_ODD, 20);
    sample_init(&s, SAMPLE_ODD, 3);
    sample_init(&stored, SAMPLE_ODD, 20);
    size_t bytes = s.table.total * sizeof(float);
    s.state.section_count = 1;
    s.state.extra_count = 1;
    ranks_assert(dt_checkpoint_load(step_path(20), &s.state, false).code == DT_ERR_INPUT);
    ranks_assert_ok(dt_checkpoint_load(step_path(20), &s.state, true));
    ranks_assert(memcmp(s.sections[0].data, stored.sections[0].data, bytes) == 0);
    ranks_assert(memcmp(s.extras[0].data, stored.extras[0].data,
                        (size_t)s.extras[0].count * dt_dtype_size(s.extras[0].dtype)) == 0);
    sample_set(&stored, 3);
    for (int i = 1; i < SAMPLE_SECTIONS; i++)
        ranks_assert(memcmp(s.sections[i].data, stored.sections[i].data, bytes) == 0);
    sample_finish(&s);
    sample_finish(&stored);
}
END_TEST

START_TEST(an_array_without_elements_is_state_too) {
    sample s;
    sample_init(&s, SAMPLE_ODD, 20);
    s.extras[1].count = 0;
    ranks_assert_ok(dt_checkpoint_publish(&ranks, directory, &s.state, NULL, NULL));
    ranks_assert_ok(dt_checkpoint_load(step_path(20), &s.state, false));
    sample_finish(&s);
}
END_TEST

/* ---- published beside what goes on ---- */

static dt_publisher *open_publisher(const sample *s) {
    dt_publisher *publisher = NULL;
    ranks_assert_ok(dt_publisher_open(&publisher, &ranks));
    ranks_assert_ok(dt_publisher_fit(publisher, &s->state, 0));
    return publisher;
}

/* Meets until the checkpoint in flight counts or has failed, as training does: where all are ready. */
static dt_status meet_to_the_end(dt_publisher *publisher) {
    for (bool over = false; !over;) {
        int64_t ready = dt_publisher_is_ready(publisher);
        DT_TRY(dt_comm_sum_i64(world, &ready, 1));
        if (ready == dt_comm_size(world)) DT_TRY(dt_publisher_meet(publisher, &over));
    }
    return dt_ok();
}

START_TEST(what_is_published_beside_is_the_state_that_was_copied) {
    sample s, other;
    uint64_t waiting = 0, digest = 1;
    sample_init(&s, (sample_size)_i, 40);
    ranks_assert_ok(dt_checkpoint_publish(&ranks, directory, &s.state, NULL, &waiting));
    dt_publisher *publisher = open_publisher(&s);
    for (int round = 0; round < 2; round++) { /* the copy's memory is used again */
        sample_set(&s, 40);
        ranks_assert_ok(dt_publisher_begin(publisher, directory, &s.state, (dt_keeping){0, 0, -1}));
        ranks_assert(dt_publisher_flies(publisher) == 40);
        sample_set(&s, 41);
        ranks_assert_ok(round ? dt_publisher_finish(publisher) : meet_to_the_end(publisher));
        ranks_assert(dt_publisher_flies(publisher) == -1 && !dt_publisher_is_ready(publisher));
        ranks_assert(sample_is_whole(&s, (sample_size)_i) && s.state.position.step == 41);
        ranks_assert_ok(dt_checkpoint_verify(step_path(40), &digest));
        ranks_assert(digest == waiting);
    }
    sample_init(&other, (sample_size)_i, 0);
    ranks_assert_ok(load(&other, 40));
    ranks_assert(!leads() || sample_is_whole(&other, (sample_size)_i));
    dt_publisher_close(publisher);
    sample_finish(&s);
    sample_finish(&other);
}
END_TEST

START_TEST(what_is_given_up_leaves_nothing) {
    sample s;
    sample_init(&s, SAMPLE_LARGE, 40);
    dt_publisher *publisher = open_publisher(&s);
    ranks_assert_ok(dt_publisher_begin(publisher, directory, &s.state, (dt_keeping){0, 0, -1}));
    dt_publisher_close(publisher);
    ranks_assert_ok(dt_comm_barrier(world));
    ranks_assert(access(step_path(40), F_OK) != 0 && access(path_of("step-000000040.h5.tmp"), F_OK) != 0);
    sample_finish(&s);
}
END_TEST

START_TEST(a_failure_beside_is_one_on_every_rank) {
    sample s;
    sample_init(&s, SAMPLE_ODD, 40);
    dt_publisher *publisher = open_publisher(&s);
    ranks_assert_ok(dt_publisher_begin(publisher, path_of("nowhere"), &s.state, (dt_keeping){0, 0, -1}));
    ranks_assert(fails_with(meet_to_the_end(publisher), DT_ERR_IO, "the checkpoint of step 40 was not written",
                            "nowhere/step-000000040"));
    ranks_assert(dt_publisher_flies(publisher) == -1);
    ranks_assert_ok(dt_publisher_begin(publisher, directory, &s.state, (dt_keeping){0, 0, -1}));
    ranks_assert_ok(dt_publisher_finish(publisher));
    ranks_assert_ok(dt_checkpoint_verify(step_path(40), NULL));
    dt_publisher_close(publisher);
    sample_finish(&s);
}
END_TEST

/* Whole arrays, so a rank has at most the largest one more than its share. */
START_TEST(a_copy_is_a_share_of_the_state) {
    sample s;
    dt_publisher *publisher = NULL;
    sample_init(&s, SAMPLE_LARGE, 40);
    size_t array = s.table.tensors[0].count * sizeof(float), ranks_there = (size_t)dt_comm_size(world);
    ranks_assert_ok(dt_publisher_open(&publisher, &ranks));
    dt_status status = dt_publisher_fit(publisher, &s.state, 1);
    ranks_assert(status.code == DT_ERR_MEMORY && dt_publisher_memory(publisher) == 0);
    ranks_assert_ok(dt_publisher_fit(publisher, &s.state, 0));
    size_t share = SAMPLE_SECTIONS * array / ranks_there + array + ((size_t)16 * 4096);
    ranks_assert(dt_publisher_memory(publisher) > 0 && dt_publisher_memory(publisher) <= share);
    dt_publisher_close(publisher);
    sample_finish(&s);
}
END_TEST

/* ---- refused when published ---- */

/* The last rank has another bit in what each has for itself: its part of the file would not be the others'. */
START_TEST(states_that_differ_are_not_published) {
    sample s;
    publish(SAMPLE_LARGE, 10);
    sample_init(&s, SAMPLE_LARGE, 11);
    bool last = dt_comm_rank(world) == dt_comm_size(world) - 1;
    unsigned char *own[] = {(unsigned char *)s.tally, (unsigned char *)s.sums, (unsigned char *)s.recipe,
                            (unsigned char *)&s.state.position.sample};
    if (last) own[_i][3] ^= 4;
    dt_status status = dt_checkpoint_publish(&ranks, directory, &s.state, NULL, NULL);
    if (dt_comm_size(world) == 1) {
        ranks_assert_ok(status);
    } else {
        ranks_assert(fails_with(status, DT_ERR_CORRUPT, "the checkpoint of step 11 was not written", ""));
        ranks_assert(access(step_path(11), F_OK) != 0 && access(path_of("step-000000011.h5.tmp"), F_OK) != 0);
    }
    ranks_assert_ok(dt_checkpoint_verify(step_path(10), NULL));
    sample_finish(&s);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_an_error_on_every_rank) {
    sample s;
    sample_init(&s, SAMPLE_ODD, 11);
    dt_status status = dt_checkpoint_publish(&ranks, path_of("nowhere"), &s.state, NULL, NULL);
    ranks_assert(fails_with(status, DT_ERR_IO, "the checkpoint of step 11 was not written", "nowhere/step-000000011"));
    sample_finish(&s);
}
END_TEST

/* A directory in the way of the last rename: everything was written and verified, and nothing is left of it. */
START_TEST(a_file_that_cannot_be_renamed_is_an_error_on_every_rank) {
    sample s;
    bool made = !leads() || mkdir(step_path(99), 0755) == 0;
    ranks_assert(made);
    sample_init(&s, SAMPLE_ODD, 99);
    dt_status status = dt_checkpoint_publish(&ranks, directory, &s.state, NULL, NULL);
    ranks_assert(fails_with(status, DT_ERR_IO, "the checkpoint of step 99 was not written", "Is a directory"));
    ranks_assert(access(path_of("step-000000099.h5.tmp"), F_OK) != 0);
    sample_finish(&s);
}
END_TEST

/* ---- refused when read ---- */

/* Verifying and loading on rank 0 fail alike, and every rank is told the same. */
static bool is_refused(int step, const char *says) {
    sample s;
    const char *path = step_path(step);
    dt_status status = dt_comm_agree(world, leads() ? dt_checkpoint_verify(path, NULL) : dt_ok());
    bool right = fails_with(status, DT_ERR_CORRUPT, path, says);
    sample_init(&s, SAMPLE_ODD, 0);
    status = load(&s, step);
    right &= fails_with(status, DT_ERR_CORRUPT, path, says);
    sample_finish(&s);
    return right;
}

/* A file's bytes with `count` of them from `offset` replaced, or its length set when `bytes` is NULL. */
static bool damage(int step, uint64_t offset, const void *bytes, size_t count) {
    if (!bytes) return truncate(step_path(step), (off_t)offset) == 0;
    FILE *file = fopen(step_path(step), "r+b");
    bool done = file && fseek(file, (long)offset, SEEK_SET) == 0 && fwrite(bytes, 1, count, file) == count;
    return file && fclose(file) == 0 && done;
}

/* Where the bytes of a dataset lie. */
static bool find_bytes(int step, const char *dataset, uint64_t *offset, size_t *bytes) {
    dt_h5 *file;
    dt_h5_info info;
    if (dt_h5_open(&file, step_path(step)).code != DT_OK) return false;
    bool found = dt_h5_describe(file, dataset, &info).code == DT_OK && info.contiguous && info.allocated;
    *offset = info.offset;
    *bytes = (size_t)dt_shape_count(&info.shape) * dt_dtype_size(info.dtype);
    return dt_h5_close(&file).code == DT_OK && found;
}

static bool flip_bit(int step, uint64_t offset, int bit) {
    FILE *file = fopen(step_path(step), "rb");
    if (!file) return false;
    bool got = fseek(file, (long)offset, SEEK_SET) == 0;
    int byte = got ? fgetc(file) : EOF;
    fclose(file);
    return byte != EOF && damage(step, offset, &(unsigned char){(unsigned char)(byte ^ 1 << bit)}, 1);
}

static const char *const datasets[] = {
    "/weights/dense1/w",
    "/weights/dense1/b",
    "/weights/temperature",
    "/weights/block/inner/kernel",
    "/weights/dense2/b",
    "/optimizer/m/dense1/w",
    "/optimizer/v/temperature",
    "/optimizer/v/dense2/b",
    "/wire/exponents",
    "/state/tally",
    "/state/sums",
};

START_TEST(a_flipped_bit_is_detected_and_its_dataset_named) {
    char says[128];
    publish(SAMPLE_ODD, 20);
    uint64_t offset = 0;
    size_t bytes = 0;
    bool found = !leads() || find_bytes(20, datasets[_i], &offset, &bytes);
    ranks_assert(found);
    ranks_assert_ok(dt_comm_broadcast(world, &bytes, sizeof bytes, 0));
    snprintf(says, sizeof says, ": %s does not match its hash (stored ", datasets[_i]);
    const size_t positions[] = {0, bytes / 2, bytes - 1};
    for (int i = 0; i < 3 * COUNT(positions); i++) {
        int bit = (int)(i / COUNT(positions)) * 3 + 1;
        bool flipped = !leads() || flip_bit(20, offset + positions[i % COUNT(positions)], bit);
        ranks_assert(flipped);
        ranks_assert(is_refused(20, says));
        flipped = !leads() || flip_bit(20, offset + positions[i % COUNT(positions)], bit);
        ranks_assert(flipped);
    }
    ranks_assert_ok(dt_checkpoint_verify(step_path(20), NULL));
}
END_TEST

static const struct {
    const char *what;
    int64_t length; /* of the file; below 0: off its end */
    const char *bytes;
    const char *says;
} wrecks[] = {
    {"empty", 0, NULL, "the file is empty"},
    {"one byte", 1, NULL, ""},
    {"within the first block", 50, NULL, ""},
    {"within the tree", 2000, NULL, ""},
    {"one byte short", -1, NULL, ""},
    {"text", 0, "name: mnist\n", "not an HDF5 file"},
    {"a damaged signature", 0, "\x89HDG\r\n\x1a\n", "not an HDF5 file"},
};

START_TEST(what_is_cut_short_or_no_hdf5_file_is_refused) {
    publish(SAMPLE_ODD, 20);
    bool done = true;
    if (leads()) {
        struct stat info;
        done = stat(step_path(20), &info) == 0;
        int64_t length = wrecks[_i].length + (wrecks[_i].length < 0 ? (int64_t)info.st_size : 0);
        if (!wrecks[_i].bytes || strcmp(wrecks[_i].what, "text") == 0) done &= damage(20, (uint64_t)length, NULL, 0);
        if (wrecks[_i].bytes) done &= damage(20, 0, wrecks[_i].bytes, strlen(wrecks[_i].bytes));
    }
    ranks_assert(done);
    bool refused = is_refused(20, wrecks[_i].says);
    if (!refused && leads()) fprintf(stderr, "not refused: %s\n", wrecks[_i].what);
    ranks_assert(refused);
}
END_TEST

/* What is done to a checkpoint with the HDF5 library, hashes and digest left as they are. */
static bool put_int(hid_t file, const char *object, const char *name, int64_t value) {
    hid_t at = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    bool done = at >= 0 && H5Awrite(at, H5T_NATIVE_INT64, &value) >= 0;
    return H5Aclose(at) >= 0 && done;
}
static bool later_version(hid_t file) {
    return put_int(file, "/", "version", 99);
}
static bool other_step(hid_t file) {
    return put_int(file, "/", "step", 21);
}
static bool other_sample(hid_t file) {
    return put_int(file, "/", "sample", 1);
}
static bool other_shards(hid_t file) {
    return put_int(file, "/", "shards", 4);
}
static bool other_seed(hid_t file) {
    return put_int(file, "/", "seed", -42);
}
static bool no_shards(hid_t file) {
    return put_int(file, "/", "shards", 0);
}
static bool negative_step(hid_t file) {
    return put_int(file, "/", "step", -20);
}
static bool no_format(hid_t file) {
    return H5Adelete(file, "format") >= 0;
}
static bool no_digest(hid_t file) {
    return H5Adelete(file, "digest") >= 0;
}
static bool no_hash(hid_t file) {
    return H5Adelete_by_name(file, "/weights/dense1/w", "hash", H5P_DEFAULT) >= 0;
}
static bool new_text(hid_t file, const char *object, const char *name, const char *text) {
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    hid_t at = H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool done = H5Awrite(at, type, text) >= 0;
    H5Sclose(space);
    H5Tclose(type);
    return H5Aclose(at) >= 0 && done;
}
/* Made anew: HDF5 1.10.8 does not find every attribute again that it opened to be changed. */
static bool other_text(hid_t file, const char *object, const char *name, const char *text) {
    return H5Adelete_by_name(file, object, name, H5P_DEFAULT) >= 0 && new_text(file, object, name, text);
}
/* Writes over part of a dataset of bytes. */
static bool other_bytes(hid_t file, const char *name, hsize_t at, const char *bytes) {
    hsize_t count = strlen(bytes);
    hid_t data = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(data),
          memory = H5Screate_simple(1, &count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &at, NULL, &count, NULL);
    bool done = H5Dwrite(data, H5T_NATIVE_UCHAR, memory, space, H5P_DEFAULT, bytes) >= 0;
    H5Sclose(memory);
    H5Sclose(space);
    return H5Dclose(data) >= 0 && done;
}
static bool other_format(hid_t file) {
    return other_text(file, "/", "format", "ctrain checkpoint");
}
static bool other_recipe(hid_t file) {
    return other_bytes(file, "/recipe", 6, "simple");
}
static bool no_recipe(hid_t file) {
    return H5Ldelete(file, "/recipe", H5P_DEFAULT) >= 0;
}
static bool other_origin(hid_t file) {
    return put_int(file, "/", "origin", 7);
}
static bool late_origin(hid_t file) {
    return put_int(file, "/", "origin", 21);
}
static bool other_digest(hid_t file) {
    return other_text(file, "/", "digest", "0123456789abcdef");
}
static bool senseless_digest(hid_t file) {
    return other_text(file, "/", "digest", "no hexadecimals!");
}
static bool other_hash(hid_t file) {
    return other_text(file, "/optimizer/m/dense1/b", "hash", "0123456789abcdef");
}
static bool exchanged(hid_t file) {
    return H5Lmove(file, "/weights/dense1/b", file, "/b", H5P_DEFAULT, H5P_DEFAULT) >= 0 &&
           H5Lmove(file, "/optimizer/m/dense1/b", file, "/weights/dense1/b", H5P_DEFAULT, H5P_DEFAULT) >= 0 &&
           H5Lmove(file, "/b", file, "/optimizer/m/dense1/b", H5P_DEFAULT, H5P_DEFAULT) >= 0;
}

static const struct {
    bool (*change)(hid_t file);
    const char *says;
} changes[] = {
    {later_version, "format version 99; this dtrain reads versions 1 to 2"},
    {other_step, "its digest does not match"},
    {other_sample, "its digest does not match"},
    {other_shards, "its digest does not match"},
    {other_seed, "its digest does not match"},
    {no_shards, "its attributes make no sense"},
    {negative_step, "its attributes make no sense"},
    {no_format, "not a dtrain checkpoint"},
    {no_digest, "no attribute `digest`"},
    {no_hash, "/weights/dense1/w has no attribute `hash`"},
    {other_format, "a ctrain checkpoint, not a dtrain checkpoint"},
    {other_recipe, "/recipe does not match its hash"},
    {no_recipe, "there is no /recipe"},
    {other_origin, "its digest does not match"},
    {late_origin, "its attributes make no sense"},
    {other_digest, "its digest does not match (stored 0123456789abcdef"},
    {senseless_digest, "its digest is no number"},
    {other_hash, "/optimizer/m/dense1/b does not match its hash (stored 0123456789abcdef"},
    {exchanged, "its digest does not match"},
};

static bool change(int step, bool (*what)(hid_t file)) {
    hid_t file = H5Fopen(step_path(step), H5F_ACC_RDWR, H5P_DEFAULT);
    bool done = file >= 0 && what(file);
    return H5Fclose(file) >= 0 && done;
}

START_TEST(changed_attributes_and_names_are_refused) {
    publish(SAMPLE_ODD, 20);
    bool done = !leads() || change(20, changes[_i].change);
    ranks_assert(done);
    ranks_assert(is_refused(20, changes[_i].says));
}
END_TEST

/* What is beside the digest has a seal of its own, and a file of version 1, which knew neither, is one still. */
static bool other_seal(hid_t file) {
    return other_text(file, "/", "seal", "0123456789abcdef");
}
static bool other_beside(hid_t file) {
    return H5Lmove(file, "/state/sums", file, "/state/sons", H5P_DEFAULT, H5P_DEFAULT) >= 0;
}
static bool first_version(hid_t file) {
    return put_int(file, "/", "version", 1);
}
/* The recipe becomes an attribute, with the hash the dataset has. */
static bool recipe_as_attribute(hid_t file) {
    char recipe[64] = "", hash[17] = "";
    hid_t data = H5Dopen2(file, "/recipe", H5P_DEFAULT), at = H5Aopen(data, "hash", H5P_DEFAULT),
          type = H5Aget_type(at);
    bool done =
        H5Dread(data, H5T_NATIVE_CHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, recipe) >= 0 && H5Aread(at, type, hash) >= 0;
    H5Tclose(type);
    H5Aclose(at);
    H5Dclose(data);
    return done && H5Ldelete(file, "/recipe", H5P_DEFAULT) >= 0 && new_text(file, "/", "recipe", recipe) &&
           new_text(file, "/", "recipe_hash", hash);
}
static bool without_beside(hid_t file) {
    return first_version(file) && H5Ldelete(file, "/state/sums", H5P_DEFAULT) >= 0 && recipe_as_attribute(file) &&
           H5Adelete(file, "seal") >= 0 && H5Adelete(file, "beside") >= 0 && H5Adelete(file, "origin") >= 0;
}

static const struct {
    bool (*change)(hid_t file);
    const char *says;
} seals[] = {
    {other_seal, "its seal does not match (stored 0123456789abcdef"},
    {other_beside, "its seal does not match"},
    {first_version, "/ has no attribute `recipe`"},
};

START_TEST(what_is_beside_the_digest_is_sealed) {
    publish(SAMPLE_ODD, 20);
    bool done = !leads() || change(20, seals[_i].change);
    ranks_assert(done);
    dt_status status = dt_comm_agree(world, leads() ? dt_checkpoint_verify(step_path(20), NULL) : dt_ok());
    ranks_assert(fails_with(status, DT_ERR_CORRUPT, step_path(20), seals[_i].says));
}
END_TEST

START_TEST(a_checkpoint_of_version_1_is_read_and_says_what_it_lacks) {
    sample s;
    publish(SAMPLE_ODD, 20);
    sample_init(&s, SAMPLE_ODD, 0);
    ranks_assert_ok(load(&s, 20));
    ranks_assert(!leads() || (s.beside.found && sample_is_whole(&s, SAMPLE_ODD)));
    bool done = !leads() || change(20, without_beside);
    ranks_assert(done);
    ranks_assert_ok(dt_comm_agree(world, leads() ? dt_checkpoint_verify(step_path(20), NULL) : dt_ok()));
    int64_t before[SAMPLE_BESIDE];
    sample_set(&s, 3);
    memcpy(before, s.sums, sizeof before);
    ranks_assert_ok(load(&s, 20));
    ranks_assert(!leads() || (!s.beside.found && memcmp(before, s.sums, sizeof before) == 0));
    sample_finish(&s);
}
END_TEST

static bool foreign_file(void) {
    hsize_t rows = 5;
    hid_t file = H5Fcreate(step_path(20), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &rows, NULL);
    hid_t data = H5Dcreate2(file, "/x", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(data);
    H5Sclose(space);
    return H5Fclose(file) >= 0 && data >= 0;
}

START_TEST(another_hdf5_file_is_no_checkpoint) {
    bool made = !leads() || foreign_file();
    ranks_assert(made);
    ranks_assert(is_refused(20, "not a dtrain checkpoint"));
}
END_TEST

START_TEST(what_is_not_there_is_named) {
    sample s;
    sample_init(&s, SAMPLE_ODD, 20);
    ranks_assert(fails_with(load(&s, 20), DT_ERR_IO, step_path(20), "No such file"));
    bool made = !leads() || mkdir(step_path(99), 0755) == 0;
    ranks_assert(made);
    ranks_assert(fails_with(load(&s, 99), DT_ERR_INPUT, step_path(99), "is a directory"));
    sample_finish(&s);
}
END_TEST

/* ---- another network's ---- */

static void rename_tensor(sample *s) {
    snprintf(s->table.tensors[1].name, sizeof s->table.tensors[1].name, "dense1/bias");
}
static void transpose_tensor(sample *s) {
    s->table.tensors[0].shape = (dt_shape){2, {5, 7}};
}
static void flatten_tensor(sample *s) {
    s->table.tensors[0].shape = (dt_shape){1, {35}};
}
static void drop_tensor(sample *s) {
    s->table.count--;
    s->extras[0].count--;
}
static void drop_slot(sample *s) {
    s->state.section_count--;
}
static void rename_slot(sample *s) {
    s->sections[2].group = "/optimizer/n";
}
static void widen_extra(sample *s) {
    s->extras[0].dtype = DT_F32;
}
static void lengthen_extra(sample *s) {
    s->extras[0].count++;
}

static const struct {
    void (*make)(sample *s);
    const char *says;
} others[] = {
    {rename_tensor, "there is no /weights/dense1/bias"},
    {transpose_tensor, "/weights/dense1/w is float32 [7, 5], but the recipe's is float32 [5, 7]"},
    {flatten_tensor, "/weights/dense1/w is float32 [7, 5], but the recipe's is float32 [35]"},
    {drop_tensor, "/wire/exponents is int32 [5], but the recipe's is int32 [4]"},
    {drop_slot, "it has 17 datasets, but the recipe makes 12"},
    {rename_slot, "there is no /optimizer/n/dense1/w"},
    {widen_extra, "/wire/exponents is int32 [5], but the recipe's is float32 [5]"},
    {lengthen_extra, "/wire/exponents is int32 [5], but the recipe's is int32 [6]"},
};

START_TEST(the_checkpoint_of_another_network_is_refused) {
    sample s;
    publish(SAMPLE_ODD, 20);
    sample_init(&s, SAMPLE_ODD, 0);
    others[_i].make(&s);
    dt_status status = load(&s, 20);
    ranks_assert(fails_with(status, DT_ERR_INPUT, step_path(20), others[_i].says));
    sample_finish(&s);
}
END_TEST

/* ---- the newest that is whole ---- */

START_TEST(the_newest_whole_checkpoint_is_found_and_the_others_say_why_not) {
    uint64_t offset = 0;
    size_t bytes = 0;
    for (int step = 10; step <= 50; step += 10) publish(SAMPLE_ODD, step);
    bool done = true;
    if (leads()) {
        done = find_bytes(50, "/optimizer/v/dense1/b", &offset, &bytes) && flip_bit(50, offset, 0);
        done &= damage(40, 3000, NULL, 0) && change(30, other_step);
    }
    ranks_assert(done);
    static const char *const reasons[] = {"step-000000050.h5: /optimizer/v/dense1/b does not match its hash",
                                          "step-000000040.h5: ", "step-000000030.h5: its digest does not match"};
    char(*paths)[4096] = NULL;
    int count = 0;
    ranks_assert_ok(dt_checkpoint_list(directory, &paths, &count));
    ranks_assert(count == 5);
    for (int i = 0; i < count; i++) {
        dt_status status = dt_comm_agree(world, leads() ? dt_checkpoint_verify(paths[i], NULL) : dt_ok());
        if (i < COUNT(reasons))
            ranks_assert(fails_with(status, DT_ERR_CORRUPT, paths[i], reasons[i]));
        else
            ranks_assert_ok(status);
    }
    sample s;
    sample_init(&s, SAMPLE_ODD, 0);
    ranks_assert_ok(dt_checkpoint_load(paths[COUNT(reasons)], &s.state, false));
    ranks_assert(s.state.position.step == 20 && sample_is_whole(&s, SAMPLE_ODD));
    sample_finish(&s);
    dt_free(paths);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("checkpoint");
    TCase *tests = tcase_create("checkpoint");
    tcase_add_checked_fixture(tests, enter_directory, leave_directory);
    tcase_add_loop_test(tests, what_is_published_is_what_every_rank_loads, 0, SAMPLE_LARGE + 1);
    tcase_add_test(tests, the_head_says_what_the_state_was);
    tcase_add_loop_test(tests, the_file_does_not_depend_on_who_wrote_it, 0, SAMPLE_LARGE + 1);
    tcase_add_test(tests, a_step_published_again_replaces_its_file);
    tcase_add_test(tests, a_leftover_of_a_killed_job_is_written_over);
    tcase_add_test(tests, a_part_can_be_loaded);
    tcase_add_test(tests, an_array_without_elements_is_state_too);
    tcase_add_loop_test(tests, what_is_published_beside_is_the_state_that_was_copied, SAMPLE_ODD, SAMPLE_LARGE + 1);
    tcase_add_test(tests, what_is_given_up_leaves_nothing);
    tcase_add_test(tests, a_failure_beside_is_one_on_every_rank);
    tcase_add_test(tests, a_copy_is_a_share_of_the_state);
    tcase_add_loop_test(tests, states_that_differ_are_not_published, 0, 4);
    tcase_add_test(tests, a_directory_that_is_not_there_is_an_error_on_every_rank);
    tcase_add_test(tests, a_file_that_cannot_be_renamed_is_an_error_on_every_rank);
    tcase_add_loop_test(tests, what_is_beside_the_digest_is_sealed, 0, COUNT(seals));
    tcase_add_test(tests, a_checkpoint_of_version_1_is_read_and_says_what_it_lacks);
    tcase_add_loop_test(tests, a_flipped_bit_is_detected_and_its_dataset_named, 0, COUNT(datasets));
    tcase_add_loop_test(tests, what_is_cut_short_or_no_hdf5_file_is_refused, 0, COUNT(wrecks));
    tcase_add_loop_test(tests, changed_attributes_and_names_are_refused, 0, COUNT(changes));
    tcase_add_test(tests, another_hdf5_file_is_no_checkpoint);
    tcase_add_test(tests, what_is_not_there_is_named);
    tcase_add_loop_test(tests, the_checkpoint_of_another_network_is_refused, 0, COUNT(others));
    tcase_add_test(tests, the_newest_whole_checkpoint_is_found_and_the_others_say_why_not);
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
