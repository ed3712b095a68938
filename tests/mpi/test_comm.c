/* Agreement and sums among ranks. */
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "../support/ranks.h"
#include "base/memory.h"

/* Memory is short on request: of this size and more there is none. In front of the C library's. */
static size_t too_much;

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the C library's have underscores */
int posix_memalign(void **out, size_t alignment, size_t size) {
    if (too_much > 0 && size >= too_much) return ENOMEM;
    *out = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    return *out ? 0 : ENOMEM;
}

START_TEST(agreement_gives_every_rank_the_lowest_failure) {
    int rank = dt_comm_rank(world), size = dt_comm_size(world);
    dt_status mine = rank >= size / 2 ? dt_fail(DT_ERR_IO, "trouble on %d", rank) : dt_ok();
    dt_status agreed = dt_comm_agree(world, mine);
    char expected[64];
    snprintf(expected, sizeof expected, size / 2 == 0 ? "trouble on %d" : "rank %d: trouble on %d", size / 2, size / 2);
    ranks_assert(agreed.code == DT_ERR_IO);
    ranks_assert(strcmp(agreed.message, expected) == 0);
}
END_TEST

START_TEST(agreement_on_success_is_success) {
    dt_status agreed = dt_comm_agree(world, dt_ok());
    ranks_assert(agreed.code == DT_OK);
}
END_TEST

/* Open MPI 4's mpirun may crash of those that ranks send it. */
START_TEST(help_texts_are_not_sent_to_the_launcher) {
    bool (*sends)(void);
    void *found = dlsym(RTLD_DEFAULT, "orte_show_help_is_available");
    memcpy(&sends, &found, sizeof sends);
    ranks_assert(!found || !sends());
}
END_TEST

START_TEST(any_sees_the_last_rank) {
    bool last = dt_comm_rank(world) == dt_comm_size(world) - 1;
    ranks_assert(dt_comm_any(world, last));
    ranks_assert(!dt_comm_any(world, false));
}
END_TEST

START_TEST(integer_sums_are_exact) {
    int64_t values[3] = {1, dt_comm_rank(world), INT64_C(1) << 40};
    int64_t size = dt_comm_size(world);
    ranks_assert_ok(dt_comm_sum_i64(world, values, 3));
    ranks_assert(values[0] == size && values[1] == size * (size - 1) / 2 && values[2] == size << 40);
}
END_TEST

static size_t text_length(int rank) {
    return rank % 2 ? 100000 * (size_t)rank : 0;
}

/* Counts the texts that come in order and whole. */
static void check_text(void *argument, int rank, const char *text) {
    int *right = argument;
    size_t length = text_length(rank);
    bool whole = strlen(text) == length && (length == 0 || (text[0] == 'a' + rank && text[length - 1] == 'a' + rank));
    if (whole && rank == *right) ++*right;
}

START_TEST(texts_of_any_length_are_collected_in_order) {
    int rank = dt_comm_rank(world), right = 0;
    size_t length = text_length(rank);
    char *text = length ? dt_alloc(length + 1, 1) : NULL;
    if (text) memset(text, 'a' + rank, length);
    ranks_assert_ok(dt_comm_collect_text(world, text, check_text, &right));
    ranks_assert(right == (rank == 0 ? dt_comm_size(world) : 0));
    dt_free(text);
}
END_TEST

/* A sender must not be left behind: the texts are long enough for MPI to wait for who receives them. */
START_TEST(a_rank_without_memory_for_texts_fails_all_alike) {
    int rank = dt_comm_rank(world), size = dt_comm_size(world), right = 0;
    size_t length = text_length(rank);
    char *text = length ? dt_alloc(length + 1, 1) : NULL;
    if (text) memset(text, 'a' + rank, length);
    too_much = rank == 0 ? 50000 : 0;
    dt_status status = dt_comm_collect_text(world, text, check_text, &right);
    too_much = 0;
    ranks_assert(status.code == (size == 1 ? DT_OK : DT_ERR_MEMORY));
    right = 0;
    ranks_assert_ok(dt_comm_collect_text(world, text, check_text, &right));
    ranks_assert(right == (rank == 0 ? size : 0));
    dt_free(text);
}
END_TEST

START_TEST(spread_is_minimum_mean_maximum) {
    int size = dt_comm_size(world);
    double value = dt_comm_rank(world), min, mean, max;
    ranks_assert_ok(dt_comm_spread(world, &value, 1, &min, &mean, &max));
    ranks_assert(min == 0 && max == size - 1 && fabs(mean - (size - 1) / 2.0) < 1e-12);
}
END_TEST

START_TEST(a_process_alone_is_rank_0_of_1) {
    dt_comm *alone;
    ranks_assert_ok(dt_comm_alone(&alone, world));
    ranks_assert(dt_comm_rank(alone) == 0 && dt_comm_size(alone) == 1);
    int64_t value = 7;
    ranks_assert_ok(dt_comm_sum_i64(alone, &value, 1));
    ranks_assert(value == 7);
    dt_comm_close(alone);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("comm");
    TCase *tests = tcase_create("comm");
    tcase_add_test(tests, agreement_gives_every_rank_the_lowest_failure);
    tcase_add_test(tests, agreement_on_success_is_success);
    tcase_add_test(tests, help_texts_are_not_sent_to_the_launcher);
    tcase_add_test(tests, any_sees_the_last_rank);
    tcase_add_test(tests, integer_sums_are_exact);
    tcase_add_test(tests, texts_of_any_length_are_collected_in_order);
    tcase_add_test(tests, a_rank_without_memory_for_texts_fails_all_alike);
    tcase_add_test(tests, spread_is_minimum_mean_maximum);
    tcase_add_test(tests, a_process_alone_is_rank_0_of_1);
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
