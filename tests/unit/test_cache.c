/* The cache of data that is read in pieces: who holds a unit sees its bytes, whoever else reads and holds what. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "data/row_stream_internal.h"
#include "suite.h"

enum { UNITS = 40, WORDS = 512 };

static dt_cache *cache;
static pthread_t readers[2];
static atomic_int failing; /* the unit that cannot be read, or -1 */
static int64_t order[4096];
static atomic_int begun, read_count; /* how many are, or were read, in `order` */

/* A unit's words are its number and their place. */
static void *fill_units(void *context) {
    (void)context;
    dt_cache_task task;
    while (dt_cache_next(cache, &task)) {
        int32_t words[WORDS];
        for (int i = 0; i < WORDS; i++) words[i] = (int32_t)task.unit * WORDS + i;
        bool good = pwrite(dt_cache_file(cache), words, sizeof words, (off_t)dt_cache_offset(cache, task.slot)) ==
                    (ssize_t)sizeof words;
        if (task.unit == failing) good = false;
        order[atomic_fetch_add(&begun, 1) % COUNT(order)] = task.unit;
        dt_cache_done(cache, &task, good ? dt_ok() : dt_fail(DT_ERR_IO, "unit %d is broken", (int)task.unit));
        atomic_fetch_add(&read_count, 1);
    }
    return NULL;
}

static void open_cache(int64_t slots, int reader_count) {
    dt_ranks alone = dt_ranks_alone();
    dt_cache_size size = {.units = UNITS, .slots = slots, .unit_bytes = WORDS * sizeof(int32_t), .plan = UNITS};
    failing = -1;
    begun = read_count = 0;
    assert_ok(dt_cache_open(&cache, &alone, &size));
    ck_assert_uint_eq(dt_cache_bytes(&size), dt_cache_file_bytes(cache));
    for (int i = 0; i < reader_count; i++) pthread_create(&readers[i], NULL, fill_units, NULL);
}

static void close_cache(int reader_count) {
    dt_cache_end(cache);
    for (int i = 0; i < reader_count; i++) pthread_join(readers[i], NULL);
    dt_cache_close(cache);
}

static bool is_unit(const char *bytes, int64_t unit) {
    const int32_t *words = (const int32_t *)bytes;
    for (int i = 0; i < WORDS; i++)
        if (words[i] != (int32_t)unit * WORDS + i) return false;
    return true;
}

/* Waits until so many units were read, whoever wanted them. */
static void await_reads(int count) {
    while (atomic_load(&read_count) < count) usleep(1000);
}

START_TEST(every_unit_is_there_when_it_is_held_whatever_room_there_is) {
    for (int64_t slots = 1; slots <= UNITS; slots += 13) {
        open_cache(slots, 1 + (int)(slots % 2));
        for (int64_t i = 0; i < 500; i++) {
            int64_t unit = i * i * 7 % UNITS;
            const char *bytes = dt_cache_hold(cache, unit, slots > 3 && i % 3 == 0);
            ck_assert(bytes && is_unit(bytes, unit));
            dt_cache_release(cache, unit);
        }
        close_cache(1 + (int)(slots % 2));
    }
}
END_TEST

static atomic_int wrong;

static void *hold_many(void *context) {
    uint64_t draw = (uint64_t)(uintptr_t)context;
    for (int i = 0; i < 3000; i++) {
        draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407;
        int64_t unit = (int64_t)(draw >> 40) % UNITS;
        const char *bytes = dt_cache_hold(cache, unit, i % 2 == 0);
        wrong += !bytes || !is_unit(bytes, unit);
        sched_yield();
        wrong += !is_unit(bytes, unit);
        dt_cache_release(cache, unit);
    }
    return NULL;
}

/* Six threads, and room for seven units: whatever is emptied must be nobody's. */
START_TEST(a_unit_that_is_held_stays) {
    enum { HOLDERS = 6 };
    pthread_t holders[HOLDERS];
    wrong = 0;
    open_cache(HOLDERS + 1, 2);
    for (uintptr_t i = 0; i < HOLDERS; i++) pthread_create(&holders[i], NULL, hold_many, (void *)(i + 1));
    for (int i = 0; i < HOLDERS; i++) pthread_join(holders[i], NULL);
    ck_assert_int_eq(wrong, 0);
    close_cache(2);
}
END_TEST

START_TEST(what_is_planned_is_read_before_it_is_wanted_and_stays_until_its_part_is_over) {
    static const int64_t parts[][4] = {{7, 31, 2, 7}, {20, 21, 7, 39}, {1, 2, 3, 5}};
    int64_t read, awaited;
    open_cache(8, 1);
    dt_cache_plan(cache, 5, parts[0], 4, parts[1], 4);
    await_reads(6); /* 7 is in both, and twice in one */
    usleep(20000);
    ck_assert_int_eq(read_count, 6);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(order[i], parts[0][i]);
    for (int part = 0; part < 2; part++)
        for (int round = 0; round < 3; round++)
            for (int i = 0; i < 4; i++) {
                if (part == 1 && round == 0 && i == 0) {
                    dt_cache_plan(cache, 6, parts[1], 4, parts[2], 4);
                    dt_cache_plan(cache, 5, parts[0], 4, parts[1], 4); /* late: not heard */
                    await_reads(9);                                    /* 2 is still there */
                }
                ck_assert(is_unit(dt_cache_hold(cache, parts[part][i], false), parts[part][i]));
                dt_cache_release(cache, parts[part][i]);
            }
    dt_cache_counts(cache, &read, &awaited);
    ck_assert_int_eq(read, 9);
    ck_assert_int_eq(awaited, 0);
    /* another unit finds room among those of the part that is over */
    ck_assert(is_unit(dt_cache_hold(cache, 12, false), 12));
    dt_cache_release(cache, 12);
    for (int i = 0; i < 4; i++) {
        ck_assert(is_unit(dt_cache_hold(cache, parts[1][i], false), parts[1][i]));
        dt_cache_release(cache, parts[1][i]);
    }
    dt_cache_counts(cache, &read, &awaited);
    ck_assert_int_eq(awaited, 1);
    close_cache(1);
}
END_TEST

START_TEST(what_follows_is_read_ahead_and_where_there_is_room_all_is) {
    int64_t read, awaited;
    open_cache(6, 1);
    for (int64_t unit = 10; unit < 14; unit++) {
        ck_assert(is_unit(dt_cache_hold(cache, unit, true), unit));
        dt_cache_release(cache, unit);
        await_reads((int)(unit - 10) + 3); /* it and the two behind it */
    }
    dt_cache_counts(cache, &read, &awaited);
    ck_assert_int_eq(awaited, 1);
    close_cache(1);
    open_cache(UNITS, 2);
    await_reads(UNITS);
    usleep(20000);
    ck_assert_int_eq(read_count, UNITS);
    close_cache(2);
}
END_TEST

START_TEST(a_failure_is_everybodys_and_stays) {
    open_cache(3, 1);
    failing = 17;
    ck_assert(is_unit(dt_cache_hold(cache, 16, false), 16));
    dt_cache_release(cache, 16);
    assert_ok(dt_cache_failure(cache));
    ck_assert_ptr_null(dt_cache_hold(cache, 17, false));
    ck_assert_ptr_null(dt_cache_hold(cache, 16, false));
    ck_assert_str_eq(dt_cache_failure(cache).message, "unit 17 is broken");
    close_cache(1);
}
END_TEST

/* So no chunk is unpacked for two units, and no unit is read for two blocks. */
START_TEST(units_are_whole_chunks_and_blocks_whole_units_where_that_can_be) {
    static const struct {
        int64_t chunk, block, unit, plan;
    } rows[] = {{256, 4096, 1024, 16}, {0, 4096, 1024, 16}, {100, 1000, 1000, 4}, {1875, 4096, 1875, 16},
                {7000, 4096, 7000, 8}, {64, 192, 192, 4},   {0, 250, 250, 4},     {256, 100, 256, 8}};
    dt_ranks alone = dt_ranks_alone();
    const char *file = "f.h5";
    char dataset[] = "/x";
    for (int i = 0; i < COUNT(rows); i++) {
        struct dt_array array = {.rows = 600000, .row_bytes = 784, .block_rows = rows[i].chunk};
        array.bytes = (size_t)array.rows * array.row_bytes;
        array.files = (dt_files){.count = 1, .name = &file};
        array.dataset = dataset;
        dt_sampler blocks = dt_sampler_by_blocks(array.rows, rows[i].block, 4, 1, 0);
        dt_selection all = {.count = array.rows};
        dt_row_stream stream = {.array = &array};
        assert_ok(dt_row_stream_measure(&stream, &alone, &(dt_row_stream_request){100 << 20, &blocks, &all}));
        ck_assert_int_eq(stream.unit_rows, rows[i].unit);
        ck_assert_int_eq(stream.size.plan, rows[i].plan);
        ck_assert_uint_le(dt_cache_bytes(&stream.size), 100 << 20);
        ck_assert_int_ge(stream.size.slots, stream.size.plan);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cache");
    TCase *tests = tcase_create("cache");
    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, every_unit_is_there_when_it_is_held_whatever_room_there_is);
    tcase_add_test(tests, a_unit_that_is_held_stays);
    tcase_add_test(tests, what_is_planned_is_read_before_it_is_wanted_and_stays_until_its_part_is_over);
    tcase_add_test(tests, what_follows_is_read_ahead_and_where_there_is_room_all_is);
    tcase_add_test(tests, a_failure_is_everybodys_and_stays);
    tcase_add_test(tests, units_are_whole_chunks_and_blocks_whole_units_where_that_can_be);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
