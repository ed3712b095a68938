/* The gradient's way across: order-free on integer wires, accurate on all, redone when it must be, for ranks that share
 * a replica and ranks that do not. Gradients are drawn per (step, shard), so every rank can compute every shard's. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "../support/ranks.h"
#include "base/memory.h"
#include "base/random.h"
#include "comm/reduce.h"
#include "comm/watchdog.h"
#include "data/sampler.h"
#include "isa.h"

enum { SHARDS = 8, STEPS = 24, LARGEST_TEAM = 3 };
static const dt_kernels *kernels;
static dt_table table;

/* Three blocks, so that slices are cut; a tensor that ends in the middle of one. */
static void setup(void) {
    kernels = dt_kernels_for(test_isa());
    memset(&table, 0, sizeof table);
    dt_shape shapes[] = {{2, {97, 91}}, {1, {11}}, {2, {11, 3}}};
    const char *names[] = {"a/w", "a/b", "b/w"};
    for (int i = 0; i < 3; i++) ranks_assert_ok(dt_table_add(&table, names[i], &shapes[i], 0));
}

static void teardown(void) {
    dt_table_finish(&table);
}

/* A reducer, and what it gave last. */
typedef struct rig {
    dt_comm *comm;
    dt_node *node;
    dt_reducer *reducer;
    dt_real *sum; /* [total], filled from begin to end */
    size_t begin, end;
    int redone;
} rig;

static void rig_open_in_parts(rig *r, dt_comm *comm, int most, int shards, dt_wire wire, dt_parts parts) {
    const dt_work work = {.shards = shards, .shards_per_rank = shards, .wire = wire, .parts = parts};
    *r = (rig){.comm = comm};
    ranks_assert_ok(dt_node_open(&r->node, comm, most));
    ranks_assert_ok(dt_reduce_create(&r->reducer, r->node, kernels, &table, &work));
    dt_reduce_slice(r->reducer, &r->begin, &r->end);
    r->sum = dt_alloc(table.total, sizeof *r->sum);
    ranks_assert(r->sum != NULL);
}

static void rig_open(rig *r, dt_comm *comm, int most, int shards, dt_wire wire) {
    rig_open_in_parts(r, comm, most, shards, wire, (dt_parts){0, -1});
}

static void rig_close(rig *r) {
    dt_reduce_destroy(r->reducer);
    dt_node_close(r->node);
    dt_free(r->sum);
}

/* Every other block is taken twice, as for a norm before the update. */
static void take_slice(rig *r) {
    bool same = true;
    for (size_t at = r->begin; at < r->end; at += DT_TABLE_BLOCK) {
        size_t count = r->end - at < DT_TABLE_BLOCK ? r->end - at : DT_TABLE_BLOCK;
        bool twice = at / DT_TABLE_BLOCK % 2 == 0;
        if (twice) memcpy(r->sum + at, dt_reduce_keep(r->reducer, at, at + count), count * sizeof *r->sum);
        const dt_real *sum = dt_reduce_take(r->reducer, at, at + count);
        same = same && (!twice || memcmp(r->sum + at, sum, count * sizeof *sum) == 0);
        memcpy(r->sum + at, sum, count * sizeof *r->sum);
    }
    dt_reduce_done(r->reducer);
    ranks_assert(same);
}

static bool same_slice(const rig *r, const rig *whole) {
    return memcmp(r->sum + r->begin, whole->sum + r->begin, (r->end - r->begin) * sizeof *r->sum) == 0;
}

/* Heavy-tailed, of a size that drifts over the steps and differs between tensors by 2^10. */
static void draw_gradient(dt_real *g, int step, int shard, double size) {
    dt_stream stream = dt_stream_at(99, DT_RANDOM_AUGMENT, (uint64_t)step, 0);
    for (int t = 0; t < table.count; t++) {
        const dt_tensor *tensor = &table.tensors[t];
        for (size_t i = 0; i < tensor->count; i++) {
            double z[4];
            dt_stream_normal4(z, stream, (uint64_t)shard, tensor->offset + i);
            g[tensor->offset + i] = (dt_real)(size * ldexp(z[0] * z[1] * z[2], -5 * (t % 3)) * (1 + 0.1 * step));
        }
    }
}

/* One step over all shards; counts redone ones. */
static void reduce_step(rig *r, int step, int shards, double size) {
    int64_t first, count;
    dt_rank_shards(shards, dt_comm_size(r->comm), dt_comm_rank(r->comm), &first, &count);
    for (bool redo = true; redo;) {
        dt_reduce_begin(r->reducer);
        for (int64_t s = first; s < first + count; s++) {
            dt_real *g = dt_reduce_next(r->reducer);
            memset(g, 0, table.total * sizeof *g);
            draw_gradient(g, step, (int)s, size);
            dt_reduce_add(r->reducer);
        }
        ranks_assert_ok(dt_reduce_finish(r->reducer, &redo));
        r->redone += redo;
    }
    take_slice(r);
}

/* In nodes of one to three ranks, the last of them smaller where the ranks do not divide, and all in one. */
static void integer_wire_is_order_free(dt_wire wire, int shards) {
    enum { WAYS = LARGEST_TEAM + 1 };
    dt_comm *alone;
    rig many[WAYS], one;
    ranks_assert_ok(dt_comm_alone(&alone, world));
    for (int most = 0; most < WAYS; most++) rig_open(&many[most], world, most, shards, wire);
    rig_open(&one, alone, 0, shards, wire);
    for (int step = 0; step < STEPS; step++) {
        double size = step == STEPS / 2 ? 1e6 : 1; /* a sudden jump, and back */
        reduce_step(&one, step, shards, size);
        for (int most = 0; most < WAYS; most++) {
            reduce_step(&many[most], step, shards, size);
            ranks_assert(same_slice(&many[most], &one));
        }
    }
    int32_t *state_many, *state_one;
    int64_t words, words_one;
    dt_reduce_state(one.reducer, &state_one, &words_one);
    for (int most = 0; most < WAYS; most++) {
        dt_reduce_state(many[most].reducer, &state_many, &words);
        ranks_assert(words == words_one && memcmp(state_many, state_one, (size_t)words * sizeof *state_one) == 0);
        ranks_assert(many[most].redone == one.redone && one.redone < 6);
        rig_close(&many[most]);
    }
    rig_close(&one);
    dt_comm_close(alone);
}

START_TEST(the_i32_wire_gives_one_rank_s_bits_on_any_number_of_ranks_and_teams) {
    integer_wire_is_order_free(DT_WIRE_I32, SHARDS);
}
END_TEST
START_TEST(the_i64_wire_gives_one_rank_s_bits_on_any_number_of_ranks_and_teams) {
    integer_wire_is_order_free(DT_WIRE_I64, SHARDS);
}
END_TEST

/* So many heads are added up in shares. */
START_TEST(many_tensors_cross_with_one_rank_s_bits) {
    if (dt_comm_size(world) < 2) return;
    dt_table_finish(&table);
    memset(&table, 0, sizeof table);
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        ranks_assert_ok(dt_table_add(&table, name, &(dt_shape){1, {5 + i % 7}}, 0));
    }
    integer_wire_is_order_free(DT_WIRE_I32, SHARDS);
}
END_TEST

/* What happens in a step of a large gradient: shards with rows, the gradient's size, and whether it counts. */
typedef struct large_step {
    int shards;
    double size;
    bool skipped, not_finite;
} large_step;

/* Small last batches leave ranks without rows, down to all; exponents are found, a jump is redone; a step is passed
 * over unseen, another because of a value that is no number on the rank of shard 0. */
static const large_step large_steps[] = {
    {.shards = 8, .size = 1}, {.shards = 1, .size = 1},       {.shards = 3, .size = 1},
    {.skipped = true},        {.shards = 5, .size = 0x1p12},  {.shards = 2, .size = 1, .not_finite = true},
    {.shards = 0, .size = 1}, {.shards = 4, .size = 0x1p-12}, {.shards = 1, .size = 1},
};
enum { LARGE_STEPS = sizeof large_steps / sizeof *large_steps };

static bool counts(const large_step *s) {
    return !s->skipped && !s->not_finite;
}

/* Five tensors, all in all enough for slices of three owners to cross in chunks of 2^18. */
static void large_table(void) {
    dt_table_finish(&table);
    memset(&table, 0, sizeof table);
    const char *names[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++)
        ranks_assert_ok(dt_table_add(&table, names[i], &(dt_shape){1, {i == 2 ? 10 : 250000 + i}}, 0));
}

/* Whole numbers below 2^9: their sums are exact on every wire. */
static void draw_whole(dt_real *g, const dt_tensor *tensor, int step, int shard, double size) {
    uint32_t factor = 2654435761U + 2U * (uint32_t)(16 * step + shard);
    for (uint32_t i = 0; i < tensor->count; i++) g[i] = (dt_real)size * (dt_real)((int32_t)((i * factor) >> 22) - 512);
}

/* Where the gradient of a tensor goes: by parts of which each is a tensor, or e, d, c and then what is kept with b. */
static dt_real *place_of(const rig *r, dt_real *g, int tensor) {
    dt_real *kept;
    if (!dt_reduce_in_parts(r->reducer, &kept)) return g + table.tensors[tensor].offset;
    if (!kept || tensor > 1) return g;
    return kept + table.tensors[tensor].offset;
}

/* A step of a gradient that is computed from its end on, by ranks of different speed. */
static void early_step(rig *r, int step) {
    const large_step *now = &large_steps[step];
    int64_t first, count;
    dt_rank_shards(SHARDS, dt_comm_size(r->comm), dt_comm_rank(r->comm), &first, &count);
    int64_t end = first + count < now->shards ? first + count : now->shards;
    for (bool redo = !now->skipped; redo;) {
        dt_reduce_begin(r->reducer);
        for (int64_t s = first; s < end; s++) {
            dt_real *g = dt_reduce_next(r->reducer);
            for (int t = table.count - 1; t >= 0; t--) {
                const dt_tensor *tensor = &table.tensors[t];
                dt_real *to = place_of(r, g, t), *kept;
                draw_whole(to, tensor, step, (int)s, now->size);
                if (now->not_finite && s == 0 && t == 1) to[0] = (dt_real)NAN;
                if (dt_comm_rank(r->comm) == step % dt_comm_size(r->comm)) usleep(500);
                if (t == 1 && dt_reduce_in_parts(r->reducer, &kept) && kept) continue;
                dt_reduce_ready(r->reducer, tensor->offset, t > 1 ? 512 * now->size : (double)NAN, s + 1 == end);
            }
            dt_reduce_add(r->reducer);
        }
        dt_watchdog_note(dt_comm_watchdog(world), DT_ACTIVITY_MEET, step);
        ranks_assert_ok(dt_reduce_finish(r->reducer, &redo));
        r->redone += redo;
    }
    if (now->skipped) dt_reduce_begin(r->reducer);
    ranks_assert((dt_reduce_raised(r->reducer, DT_FLAG_NOT_FINITE) > 0) == now->not_finite);
    if (counts(now))
        take_slice(r);
    else
        dt_reduce_done(r->reducer);
}

/* The sums of all steps by one rank alone, [LARGE_STEPS, total], and how often it had to redo one. */
static dt_real *large_sums(dt_wire wire, int *redone) {
    dt_comm *alone;
    rig one;
    dt_real *sums = dt_alloc(LARGE_STEPS * table.total, sizeof *sums);
    ranks_assert(sums != NULL);
    ranks_assert_ok(dt_comm_alone(&alone, world));
    rig_open(&one, alone, 0, SHARDS, wire);
    for (int step = 0; step < LARGE_STEPS; step++) {
        early_step(&one, step);
        memcpy(sums + (size_t)step * table.total, one.sum, table.total * sizeof *sums);
    }
    *redone = one.redone;
    rig_close(&one);
    dt_comm_close(alone);
    return sums;
}

/* As a whole; in parts; and in parts with the first tensor kept. */
static const dt_parts large_parts[] = {{0, -1}, {250016, -1}, {250016, 0}};

static void large_gradients_cross(dt_wire wire, int smallest, int largest) {
    int redone;
    dt_real *sums = large_sums(wire, &redone);
    for (int most = smallest; most <= largest; most++) {
        rig many;
        rig_open_in_parts(&many, world, most, SHARDS, wire, large_parts[most % 3]);
        for (int step = 0; step < LARGE_STEPS; step++) {
            early_step(&many, step);
            const dt_real *wanted = sums + (size_t)step * table.total + many.begin;
            ranks_assert(!counts(&large_steps[step]) ||
                         memcmp(many.sum + many.begin, wanted, (many.end - many.begin) * sizeof *wanted) == 0);
        }
        ranks_assert(many.redone == redone && (wire == DT_WIRE_F32) == (redone == 0));
        rig_close(&many);
    }
    dt_free(sums);
}

/* The last node is smaller where the ranks do not divide; 0 is all in one. */
START_TEST(large_gradients_cross_early_in_any_teams_though_ranks_have_no_rows) {
    large_table();
    large_gradients_cross(DT_WIRE_I32, 0, LARGEST_TEAM);
    large_gradients_cross(DT_WIRE_F32, 1, 2);
    large_gradients_cross(DT_WIRE_I64, 2, 2);
}
END_TEST

/* The slices of a node are the arena, in order, and those of another node are the same. */
START_TEST(slices_cover_the_arena) {
    for (int most = 0; most <= LARGEST_TEAM; most++) {
        rig r;
        rig_open(&r, world, most, SHARDS, DT_WIRE_I32);
        ranks_assert(r.begin % DT_TABLE_BLOCK == 0 && (r.end % DT_TABLE_BLOCK == 0 || r.end == table.total));
        int64_t covered = (int64_t)(r.end - r.begin);
        ranks_assert_ok(dt_comm_sum_i64(world, &covered, 1));
        ranks_assert(covered == (int64_t)table.total * dt_node_count(r.node));
        rig_close(&r);
    }
}
END_TEST

/* Floats are sent then; the second shard of every third step is empty, and half of the first's gradient is -0. */
START_TEST(two_shards_give_one_rank_s_bits_on_two_ranks_though_sent_as_floats) {
    dt_comm *alone;
    ranks_assert_ok(dt_comm_alone(&alone, world));
    for (int most = 0; most <= 1; most++) {
        rig rigs[2];
        rig_open(&rigs[0], world, most, 2, DT_WIRE_I32);
        rig_open(&rigs[1], alone, 0, 2, DT_WIRE_I32);
        for (int step = 0; step < STEPS; step++) {
            for (int which = 0; which < 2; which++) {
                rig *r = &rigs[which];
                int64_t first, count;
                bool redo;
                dt_rank_shards(2, dt_comm_size(r->comm), dt_comm_rank(r->comm), &first, &count);
                dt_reduce_begin(r->reducer);
                for (int64_t s = first; s < first + count && (s == 0 || step % 3); s++) {
                    dt_real *g = dt_reduce_next(r->reducer);
                    memset(g, 0, table.total * sizeof *g);
                    draw_gradient(g, step, (int)s, 1);
                    for (size_t i = 0; i < table.tensors[0].count; i += 2) g[i] = (dt_real)-0.0;
                    dt_reduce_add(r->reducer);
                }
                ranks_assert_ok(dt_reduce_finish(r->reducer, &redo));
                ranks_assert(!redo);
                take_slice(r);
            }
            ranks_assert(same_slice(&rigs[0], &rigs[1]));
        }
        rig_close(&rigs[0]);
        rig_close(&rigs[1]);
    }
    dt_comm_close(alone);
}
END_TEST

/* Largest error of a tensor's sum against float64, as a share of the tensor's largest element; the worst of all steps
 * and ranks. */
static double worst_error(dt_wire wire, int shards) {
    rig r;
    rig_open(&r, world, 0, shards, wire);
    dt_real *g = dt_alloc(table.total, sizeof *g);
    double *exact = dt_alloc(table.total, sizeof *exact);
    ranks_assert(g && exact);
    double worst = 0;
    for (int step = 0; step < (shards < 64 ? STEPS / 2 : STEPS / 8); step++) {
        reduce_step(&r, step, shards, 1);
        memset(exact, 0, table.total * sizeof *exact);
        for (int s = 0; s < shards; s++) {
            draw_gradient(g, step, s, 1);
            for (size_t i = 0; i < table.total; i++) exact[i] += (double)g[i];
        }
        for (int t = 0; t < table.count; t++) {
            double largest = 0, error = 0;
            for (size_t i = table.tensors[t].offset; i < table.tensors[t].offset + table.tensors[t].count; i++) {
                largest = fmax(largest, fabs(exact[i]));
                if (i >= r.begin && i < r.end) error = fmax(error, fabs((double)r.sum[i] - exact[i]));
            }
            worst = fmax(worst, error / largest);
        }
    }
    dt_free(g);
    dt_free(exact);
    rig_close(&r);
    double most;
    ranks_assert_ok(dt_comm_spread(world, &worst, 1, NULL, NULL, &most));
    return most;
}

/* These gradients have longer tails than real ones: what one shard has of size, the others lack. */
START_TEST(the_error_against_float64_is_small_up_to_64_shards) {
    static const int shards[] = {8, 64};
    for (int i = 0; i < 2; i++) {
        double i32 = worst_error(DT_WIRE_I32, shards[i]), i64 = worst_error(DT_WIRE_I64, shards[i]);
        if (dt_comm_rank(world) == 0)
            printf("shards %d: worst error i32 2^%.1f, i64 2^%.1f\n", shards[i], log2(i32), log2(i64));
        ranks_assert(i32 <= (shards[i] < 64 ? 0x1p-21 : 0x1p-19));
        ranks_assert(i64 <= 0x1p-23);
    }
}
END_TEST

START_TEST(the_f32_wire_sums_up_to_rounding) {
    ranks_assert(worst_error(DT_WIRE_F32, SHARDS) < 1e-5);
}
END_TEST

static void not_finite_is_named(dt_wire wire, int shards, int most, dt_real value) {
    rig r;
    rig_open(&r, world, most, shards, wire);
    bool last = dt_comm_rank(world) == dt_comm_size(world) - 1, redo;
    dt_reduce_begin(r.reducer);
    dt_real *g = dt_reduce_next(r.reducer);
    memset(g, 0, table.total * sizeof *g);
    if (last) g[table.tensors[1].offset + 3] = value;
    dt_reduce_add(r.reducer);
    ranks_assert_ok(dt_reduce_finish(r.reducer, &redo));
    ranks_assert(dt_reduce_raised(r.reducer, DT_FLAG_NOT_FINITE) == 1);
    const char *name = dt_reduce_not_finite(r.reducer);
    ranks_assert(last ? name && strcmp(name, "a/b") == 0 : name == NULL);
    dt_reduce_done(r.reducer);
    rig_close(&r);
}

START_TEST(a_gradient_that_is_no_number_is_raised_and_named_where_it_is) {
    static const dt_real values[] = {(dt_real)NAN, (dt_real)INFINITY, (dt_real)-INFINITY};
    for (int i = 0; i < 3; i++) {
        for (int most = 0; most <= 1; most++) {
            not_finite_is_named(DT_WIRE_I32, SHARDS, most, values[i]);
            not_finite_is_named(DT_WIRE_I64, SHARDS, most, values[i]);
            not_finite_is_named(DT_WIRE_F32, SHARDS, most, values[i]);
            not_finite_is_named(DT_WIRE_I32, 2, most, values[i]);
        }
    }
    not_finite_is_named(DT_WIRE_F32, SHARDS, 0, (dt_real)2e38); /* finite, but eight such shards would not be */
}
END_TEST

static void flags_cross(dt_wire wire, int most) {
    rig r;
    rig_open(&r, world, most, SHARDS, wire);
    bool redo;
    dt_reduce_begin(r.reducer);
    dt_reduce_raise(r.reducer, DT_FLAG_STOP);
    if (dt_comm_rank(world) == 0) dt_reduce_raise(r.reducer, DT_FLAG_CHECKPOINT);
    ranks_assert_ok(dt_reduce_finish(r.reducer, &redo)); /* no shard on any rank: zeros */
    ranks_assert(dt_reduce_raised(r.reducer, DT_FLAG_STOP) == dt_comm_size(world));
    ranks_assert(dt_reduce_raised(r.reducer, DT_FLAG_CHECKPOINT) == 1);
    ranks_assert(dt_reduce_raised(r.reducer, DT_FLAG_EVALUATE) == 0);
    r.sum[r.begin] = 1;
    take_slice(&r);
    ranks_assert(!redo && (r.begin == r.end || (r.sum[r.begin] == 0 && r.sum[r.end - 1] == 0)));
    dt_reduce_begin(r.reducer);
    ranks_assert(dt_reduce_raised(r.reducer, DT_FLAG_STOP) == 0);
    rig_close(&r);
}

START_TEST(flags_cross_with_the_gradient_on_every_wire) {
    for (int most = 0; most <= LARGEST_TEAM; most++) {
        flags_cross(DT_WIRE_F32, most);
        flags_cross(DT_WIRE_I32, most);
        flags_cross(DT_WIRE_I64, most);
    }
}
END_TEST

START_TEST(flags_cross_with_a_gradient_of_fewer_blocks_than_ranks) {
    dt_table_finish(&table);
    memset(&table, 0, sizeof table);
    ranks_assert_ok(dt_table_add(&table, "a", &(dt_shape){1, {5}}, 0));
    for (int most = 0; most <= LARGEST_TEAM; most++) flags_cross(DT_WIRE_I32, most);
}
END_TEST

int main(void) {
    if (!open_world()) return EXIT_FAILURE;
    Suite *suite = suite_create("reduce");
    TCase *tests = tcase_create("reduce");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_i32_wire_gives_one_rank_s_bits_on_any_number_of_ranks_and_teams);
    tcase_add_test(tests, many_tensors_cross_with_one_rank_s_bits);
    tcase_add_test(tests, the_i64_wire_gives_one_rank_s_bits_on_any_number_of_ranks_and_teams);
    tcase_add_test(tests, large_gradients_cross_early_in_any_teams_though_ranks_have_no_rows);
    tcase_add_test(tests, slices_cover_the_arena);
    if (dt_comm_size(world) == 2)
        tcase_add_test(tests, two_shards_give_one_rank_s_bits_on_two_ranks_though_sent_as_floats);
    tcase_add_test(tests, the_error_against_float64_is_small_up_to_64_shards);
    tcase_add_test(tests, the_f32_wire_sums_up_to_rounding);
    tcase_add_test(tests, a_gradient_that_is_no_number_is_raised_and_named_where_it_is);
    tcase_add_test(tests, flags_cross_with_the_gradient_on_every_wire);
    tcase_add_test(tests, flags_cross_with_a_gradient_of_fewer_blocks_than_ranks);
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
