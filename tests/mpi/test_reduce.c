/* The gradient's way across: order-free on integer wires, accurate on all, redone when it must be. Gradients are drawn
 * per (step, shard), so every rank can compute every shard's. */
#include <math.h>
#include <string.h>

#include "../support/ranks.h"
#include "dtrain/dataset.h"
#include "dtrain/memory.h"
#include "dtrain/random.h"
#include "dtrain/reduce.h"

enum { SHARDS = 8, STEPS = 40 };
static const dt_kernels *kernels;
static dt_table table;

static void setup(void) {
    kernels = dt_kernels_for(DT_ISA_AUTO);
    memset(&table, 0, sizeof table);
    dt_shape shapes[] = {{2, {37, 11}}, {1, {11}}, {2, {11, 3}}};
    const char *names[] = {"a/w", "a/b", "b/w"};
    for (int i = 0; i < 3; i++) ranks_assert_ok(dt_table_add(&table, names[i], &shapes[i], 0));
}

static void teardown(void) {
    dt_table_finish(&table);
}

/* Heavy-tailed, of a size that drifts over the steps and differs between tensors by 2^10. */
static void draw_gradient(dt_real *g, int step, int shard, double size) {
    dt_stream stream = dt_stream_at(99, DT_RANDOM_AUGMENT, (uint64_t)step, 0);
    for (int t = 0; t < table.count; t++) {
        const dt_tensor *tensor = &table.tensors[t];
        for (size_t i = 0; i < tensor->count; i++) {
            double z[4];
            dt_stream_normal4(z, stream, (uint64_t)shard, tensor->offset + i);
            g[tensor->offset + i] = (dt_real)(size * ldexp(z[0] * z[1] * z[2], -5 * t) * (1 + 0.1 * step));
        }
    }
}

/* The sum over all shards as `comm` gives it; counts redone steps. */
static dt_status reduce_step(dt_reducer *reducer, dt_comm *comm, int step, int shards, double size, const dt_real **sum,
                             int *redone) {
    int64_t first, count;
    dt_rank_shards(shards, dt_comm_size(comm), dt_comm_rank(comm), &first, &count);
    for (bool redo = true; redo;) {
        dt_reduce_begin(reducer);
        for (int64_t s = first; s < first + count; s++) {
            dt_real *g = dt_reduce_next(reducer);
            memset(g, 0, table.total * sizeof *g);
            draw_gradient(g, step, (int)s, size);
            dt_reduce_add(reducer);
        }
        DT_TRY(dt_reduce_finish(reducer, sum, &redo));
        *redone += redo;
    }
    return dt_ok();
}

static void integer_wire_is_order_free(dt_wire wire, int shards) {
    dt_comm *alone;
    dt_reducer *many, *one;
    ranks_assert_ok(dt_comm_alone(&alone, world));
    ranks_assert_ok(dt_reduce_create(&many, world, kernels, &table, shards, shards, wire));
    ranks_assert_ok(dt_reduce_create(&one, alone, kernels, &table, shards, shards, wire));
    int redone_many = 0, redone_one = 0;
    for (int step = 0; step < STEPS; step++) {
        const dt_real *a, *b;
        double size = step == 20 ? 1e6 : 1; /* a sudden jump, and back */
        ranks_assert_ok(reduce_step(many, world, step, shards, size, &a, &redone_many));
        ranks_assert_ok(reduce_step(one, alone, step, shards, size, &b, &redone_one));
        ranks_assert(memcmp(a, b, table.total * sizeof *a) == 0);
    }
    int32_t *state_many, *state_one;
    int64_t words, words_one;
    dt_reduce_state(many, &state_many, &words);
    dt_reduce_state(one, &state_one, &words_one);
    ranks_assert(words == words_one && memcmp(state_many, state_one, (size_t)words * sizeof *state_one) == 0);
    ranks_assert(redone_many == redone_one && redone_many < 6);
    dt_reduce_destroy(many);
    dt_reduce_destroy(one);
    dt_comm_close(alone);
}

START_TEST(the_i32_wire_gives_one_rank_s_bits_on_any_number_of_ranks) {
    integer_wire_is_order_free(DT_WIRE_I32, SHARDS);
}
END_TEST
START_TEST(the_i64_wire_gives_one_rank_s_bits_on_any_number_of_ranks) {
    integer_wire_is_order_free(DT_WIRE_I64, SHARDS);
}
END_TEST

/* Floats are sent then; the second shard of every third step is empty, and half of the first's gradient is -0. */
START_TEST(two_shards_give_one_rank_s_bits_on_two_ranks_though_sent_as_floats) {
    if (dt_comm_size(world) > 2) return;
    dt_comm *alone;
    dt_reducer *many, *one;
    ranks_assert_ok(dt_comm_alone(&alone, world));
    ranks_assert_ok(dt_reduce_create(&many, world, kernels, &table, 2, 2, DT_WIRE_I32));
    ranks_assert_ok(dt_reduce_create(&one, alone, kernels, &table, 2, 2, DT_WIRE_I32));
    for (int step = 0; step < STEPS; step++) {
        const dt_real *sums[2];
        for (int which = 0; which < 2; which++) {
            dt_reducer *reducer = which ? one : many;
            dt_comm *comm = which ? alone : world;
            int64_t first, count;
            bool redo;
            dt_rank_shards(2, dt_comm_size(comm), dt_comm_rank(comm), &first, &count);
            dt_reduce_begin(reducer);
            for (int64_t s = first; s < first + count && (s == 0 || step % 3); s++) {
                dt_real *g = dt_reduce_next(reducer);
                memset(g, 0, table.total * sizeof *g);
                draw_gradient(g, step, (int)s, 1);
                for (size_t i = 0; i < table.tensors[0].count; i += 2) g[i] = (dt_real)-0.0;
                dt_reduce_add(reducer);
            }
            ranks_assert_ok(dt_reduce_finish(reducer, &sums[which], &redo));
            ranks_assert(!redo);
        }
        ranks_assert(memcmp(sums[0], sums[1], table.total * sizeof *sums[0]) == 0);
    }
    dt_reduce_destroy(many);
    dt_reduce_destroy(one);
    dt_comm_close(alone);
}
END_TEST

/* Largest error of a tensor's sum against float64, as a share of the tensor's largest element; the worst of all steps.
 */
static double worst_error(dt_wire wire, int shards) {
    dt_reducer *reducer;
    ranks_assert_ok(dt_reduce_create(&reducer, world, kernels, &table, shards, shards, wire));
    dt_real *g = dt_alloc(table.total, sizeof *g);
    double *exact = dt_alloc(table.total, sizeof *exact);
    ranks_assert(g && exact);
    double worst = 0;
    int redone = 0;
    for (int step = 0; step < STEPS; step++) {
        const dt_real *sum;
        ranks_assert_ok(reduce_step(reducer, world, step, shards, 1, &sum, &redone));
        memset(exact, 0, table.total * sizeof *exact);
        for (int s = 0; s < shards; s++) {
            draw_gradient(g, step, s, 1);
            for (size_t i = 0; i < table.total; i++) exact[i] += (double)g[i];
        }
        for (int t = 0; t < table.count; t++) {
            double largest = 0, error = 0;
            for (size_t i = table.tensors[t].offset; i < table.tensors[t].offset + table.tensors[t].count; i++) {
                largest = fmax(largest, fabs(exact[i]));
                error = fmax(error, fabs((double)sum[i] - exact[i]));
            }
            worst = fmax(worst, error / largest);
        }
    }
    dt_free(g);
    dt_free(exact);
    dt_reduce_destroy(reducer);
    return worst;
}

START_TEST(the_error_against_float64_is_below_2_to_minus_20_up_to_64_shards) {
    static const int shards[] = {8, 16, 64};
    for (int i = 0; i < 3; i++) {
        double i32 = worst_error(DT_WIRE_I32, shards[i]), i64 = worst_error(DT_WIRE_I64, shards[i]);
        if (dt_comm_rank(world) == 0)
            printf("shards %d: worst error i32 2^%.1f, i64 2^%.1f\n", shards[i], log2(i32), log2(i64));
        ranks_assert(i32 <= 0x1p-20);
        ranks_assert(i64 <= 0x1p-23);
    }
}
END_TEST

START_TEST(the_f32_wire_sums_up_to_rounding) {
    ranks_assert(worst_error(DT_WIRE_F32, SHARDS) < 1e-5);
}
END_TEST

START_TEST(a_gradient_that_is_no_number_is_raised_and_named_where_it_is) {
    dt_reducer *reducer;
    ranks_assert_ok(dt_reduce_create(&reducer, world, kernels, &table, SHARDS, SHARDS, DT_WIRE_I32));
    bool last = dt_comm_rank(world) == dt_comm_size(world) - 1;
    dt_reduce_begin(reducer);
    dt_real *g = dt_reduce_next(reducer);
    memset(g, 0, table.total * sizeof *g);
    if (last) g[table.tensors[1].offset + 3] = NAN;
    dt_reduce_add(reducer);
    const dt_real *sum;
    bool redo;
    ranks_assert_ok(dt_reduce_finish(reducer, &sum, &redo));
    ranks_assert(dt_reduce_raised(reducer, DT_FLAG_NOT_FINITE) == 1);
    const char *name = dt_reduce_not_finite(reducer);
    ranks_assert(last ? name && strcmp(name, "a/b") == 0 : name == NULL);
    dt_reduce_destroy(reducer);
}
END_TEST

static void flags_cross(dt_wire wire) {
    dt_reducer *reducer;
    ranks_assert_ok(dt_reduce_create(&reducer, world, kernels, &table, SHARDS, SHARDS, wire));
    const dt_real *sum;
    bool redo;
    dt_reduce_begin(reducer);
    dt_reduce_raise(reducer, DT_FLAG_STOP);
    if (dt_comm_rank(world) == 0) dt_reduce_raise(reducer, DT_FLAG_CHECKPOINT);
    ranks_assert_ok(dt_reduce_finish(reducer, &sum, &redo)); /* no shard on any rank: zeros */
    ranks_assert(!redo && sum[0] == 0 && sum[table.total - 1] == 0);
    ranks_assert(dt_reduce_raised(reducer, DT_FLAG_STOP) == dt_comm_size(world));
    ranks_assert(dt_reduce_raised(reducer, DT_FLAG_CHECKPOINT) == 1);
    ranks_assert(dt_reduce_raised(reducer, DT_FLAG_EVALUATE) == 0);
    dt_reduce_begin(reducer);
    ranks_assert(dt_reduce_raised(reducer, DT_FLAG_STOP) == 0);
    dt_reduce_destroy(reducer);
}

START_TEST(flags_cross_with_the_gradient_on_every_wire) {
    flags_cross(DT_WIRE_F32);
    flags_cross(DT_WIRE_I32);
    flags_cross(DT_WIRE_I64);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("reduce");
    TCase *tests = tcase_create("reduce");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_i32_wire_gives_one_rank_s_bits_on_any_number_of_ranks);
    tcase_add_test(tests, the_i64_wire_gives_one_rank_s_bits_on_any_number_of_ranks);
    tcase_add_test(tests, two_shards_give_one_rank_s_bits_on_two_ranks_though_sent_as_floats);
    tcase_add_test(tests, the_error_against_float64_is_below_2_to_minus_20_up_to_64_shards);
    tcase_add_test(tests, the_f32_wire_sums_up_to_rounding);
    tcase_add_test(tests, a_gradient_that_is_no_number_is_raised_and_named_where_it_is);
    tcase_add_test(tests, flags_cross_with_the_gradient_on_every_wire);
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
