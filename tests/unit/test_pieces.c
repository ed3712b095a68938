/* How a batch is cut, against cutting it as the training loop does; and how much memory there is, from files as Linux
 * writes them. */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/sampler.h"
#include "suite.h"
#include "use/pieces.h"

/* The largest and smallest piece of an epoch, cut piece by piece. */
static void cut(int64_t batch, int64_t shards, int64_t micro, int64_t samples, int64_t *most, int64_t *least) {
    *most = 0;
    *least = INT64_MAX;
    for (int64_t at = 0; at < samples; at += batch) {
        int64_t rows = samples - at < batch ? samples - at : batch;
        for (int64_t shard = 0; shard < shards; shard++) {
            int64_t offset, count;
            dt_shard_range(rows, shards, shard, &offset, &count);
            int64_t at_once = micro > 0 ? micro : count;
            for (int64_t done = 0; done < count; done += at_once) {
                int64_t piece = count - done < at_once ? count - done : at_once;
                if (piece > *most) *most = piece;
                if (piece < *least) *least = piece;
            }
        }
    }
}

START_TEST(pieces_are_those_of_the_training_loop) {
    for (int64_t samples = 1; samples < 40; samples++)
        for (int64_t batch = 1; batch < 45; batch++)
            for (int64_t shards = 1; shards < 12; shards++)
                for (int64_t micro = 0; micro < 7; micro++) {
                    dt_recipe recipe = {.train = {.batch = batch, .micro_batch = micro}};
                    dt_pieces pieces;
                    int64_t most, least;
                    cut(batch, shards, micro, samples, &most, &least);
                    ck_assert_int_eq(dt_rows_at_once(&recipe, shards, samples), most);
                    dt_pieces_describe(&recipe, shards, samples, &pieces);
                    ck_assert_int_eq(pieces.least, least);
                    ck_assert_int_eq(pieces.where[0] != '\0', least == 1);
                    long long better;
                    const char *at = strstr(pieces.remedy, "train.batch=");
                    if (at && sscanf(at, "train.batch=%lld", &better) == 1) {
                        cut(better, shards, micro, samples, &most, &least);
                        ck_assert_int_ge(least, 2);
                    }
                    at = strstr(pieces.remedy, "train.shards=");
                    if (at && sscanf(at, "train.shards=%lld", &better) == 1) {
                        cut(batch, better, micro, samples, &most, &least);
                        ck_assert_int_ge(least, 2);
                    }
                }
}
END_TEST

START_TEST(a_batch_of_all_there_are_takes_no_more) {
    dt_recipe recipe = {.train = {.batch = INT64_C(1000000000000)}};
    ck_assert_int_eq(dt_rows_at_once(&recipe, 1, 600), 600);
    ck_assert_int_eq(dt_rows_at_once(&recipe, 7, 600), 86);
}
END_TEST

static char root[] = "/tmp/dtrain-memory.XXXXXX";

static void put(const char *path, const char *text) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = strchr(whole + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static void remove_root(void) {
    ck_assert_int_eq(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* The machine has 8 GB, a job's group 4 of which it uses 3, 1 of them for files, a step in it has no limit of its own.
 */
START_TEST(memory_is_what_machine_and_groups_leave) {
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_uint_eq(dt_memory_available(root), SIZE_MAX);
    put("/proc/meminfo", "MemTotal:       16000000 kB\nMemFree:  100 kB\nMemAvailable:    8000000 kB\n");
    ck_assert_uint_eq(dt_memory_available(root), (size_t)8000000 * 1024);
    put("/proc/self/cgroup", "0::/job/step\n");
    put("/sys/fs/cgroup/job/step/memory.max", "max\n");
    put("/sys/fs/cgroup/job/step/memory.current", "3000000000\n");
    ck_assert_uint_eq(dt_memory_available(root), (size_t)8000000 * 1024);
    put("/sys/fs/cgroup/job/memory.max", "4000000000\n");
    put("/sys/fs/cgroup/job/memory.current", "3000000000\n");
    put("/sys/fs/cgroup/job/memory.stat",
        "anon 2000000000\nfile 1000000000\ninactive_file 1000000000\nactive_file 0\n");
    ck_assert_uint_eq(dt_memory_available(root), 2000000000);
    put("/sys/fs/cgroup/job/memory.max", "1500000000\n");
    ck_assert_uint_eq(dt_memory_available(root), 0);
    remove_root();
}
END_TEST

START_TEST(the_older_hierarchy_counts_too) {
    ck_assert_ptr_nonnull(mkdtemp(root));
    put("/proc/self/cgroup", "7:cpu,cpuacct:/\n5:memory:/user\n1:name=systemd:/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "5000000000\n");
    put("/sys/fs/cgroup/memory/user/memory.limit_in_bytes", "1000000000\n");
    put("/sys/fs/cgroup/memory/user/memory.usage_in_bytes", "400000000\n");
    put("/sys/fs/cgroup/memory/user/memory.stat", "cache 0\ntotal_inactive_file 100000000\n");
    ck_assert_uint_eq(dt_memory_available(root), 700000000);
    remove_root();
}
END_TEST

START_TEST(here_there_is_some) {
    ck_assert_uint_gt(dt_memory_available(""), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pieces");
    TCase *tests = tcase_create("pieces");
    tcase_add_test(tests, pieces_are_those_of_the_training_loop);
    tcase_add_test(tests, a_batch_of_all_there_are_takes_no_more);
    tcase_add_test(tests, memory_is_what_machine_and_groups_leave);
    tcase_add_test(tests, the_older_hierarchy_counts_too);
    tcase_add_test(tests, here_there_is_some);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
