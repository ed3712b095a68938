/* The policy of the integer wires' exponents, as properties: gradients of any size are brought to fit and to keep their
 * bits in a few tries, nothing is said to fit that does not, and what fits is left alone. */
#include <math.h>

#include "comm/exponents.h"
#include "suite.h"

static const double limits[] = {0x1p31 - 1, 0x1p62};
enum { LIMITS = 2, HEADROOM = 2, LOW = 1, HIGH = 4, WINDOW = 16 };

/* In [1, 2), another for every i. */
static double mantissa(int i) {
    return 1 + fmod(0.6180339887498949 * (double)(i + 1), 1);
}

/* The room of shards of a tensor whose largest |g| are given, 0 for none. */
static int room_of(double limit, const double *largest, int shards, int k) {
    int buckets[DT_ROOM_BUCKETS] = {0};
    for (int i = 0; i < shards; i++)
        if (largest[i] > 0) buckets[dt_exponent_bucket(limit, largest[i], k)]++;
    return dt_exponent_room(buckets);
}

/* The powers of two from the sum to the limit. */
static int true_room(double limit, const double *largest, int shards, int k) {
    double sum = 0;
    for (int i = 0; i < shards; i++) sum += ldexp(largest[i], k);
    return ilogb(limit / sum);
}

START_TEST(a_sum_never_has_less_room_than_is_said_and_one_bit_more_at_most) {
    for (int trial = 0; trial < 4000; trial++) {
        double largest[64], limit = limits[trial % LIMITS];
        int shards = 1 + trial % 64, k = trial % 41 - 20, spread = trial % 7;
        for (int i = 0; i < shards; i++)
            largest[i] = ldexp(mantissa(67 * trial + i), ilogb(limit) - k - trial % 23 - i % (1 + spread));
        int said = room_of(limit, largest, shards, k), has = true_room(limit, largest, shards, k);
        ck_assert_msg(said <= has && has <= said + 1, "trial %d: %d said, %d there", trial, said, has);
    }
}
END_TEST

START_TEST(no_gradient_is_too_large_or_too_small_for_a_bucket) {
    for (int l = 0; l < LIMITS; l++) {
        for (int e = -300; e <= 300; e++) {
            int bucket = dt_exponent_bucket(limits[l], ldexp(mantissa(e + 300), e), 24);
            ck_assert(bucket >= 0 && bucket < DT_ROOM_BUCKETS);
        }
    }
    int none[DT_ROOM_BUCKETS] = {0};
    ck_assert_int_eq(dt_exponent_room(none), DT_ROOM_FREE);
}
END_TEST

/* The next try of a step, after k moved: the same gradient has as much less room as k rose. */
static int tries_until_it_fits(dt_exponent *e, double limit, const double *largest, int shards, int coarse) {
    for (int tries = 1;; tries++) {
        ck_assert_int_lt(tries, 40);
        int room = room_of(limit, largest, shards, e->k);
        if (dt_exponents_repair(e, &room, 1, coarse)) continue;
        return tries;
    }
}

START_TEST(any_gradient_fits_and_keeps_its_bits_after_a_few_tries) {
    for (int l = 0; l < LIMITS; l++) {
        for (int shards = 3; shards <= 64; shards += 61 - 53 * l) {
            int coarse = dt_exponent_coarse(limits[l], shards);
            for (int size = -60; size <= 60; size++) {
                double largest[64];
                for (int i = 0; i < shards; i++) largest[i] = ldexp(mantissa(i), size - i % 5);
                dt_exponent e[2];
                dt_exponents_begin(e, 1, 24);
                int tries = tries_until_it_fits(e, limits[l], largest, shards, coarse);
                ck_assert_int_le(tries, 5);
                ck_assert_int_ge(true_room(limits[l], largest, shards, e->k), 0);
                /* what rounding may cost at most, half a unit a shard, as a share of what the shards have */
                double cost = 0.5 * shards, sum = 0;
                for (int i = 0; i < shards; i++) sum += ldexp(largest[i], e->k);
                ck_assert_msg(e->k == DT_EXPONENT_MOST || cost <= 0x1p-20 * sum,
                              "%d shards of 2^%d: rounding costs 2^%.1f", shards, size, log2(cost / sum));
            }
        }
    }
}
END_TEST

START_TEST(a_step_is_redone_only_when_an_exponent_can_still_move) {
    dt_exponent e[3] = {{DT_EXPONENT_MOST, DT_ROOM_FREE}, {-DT_EXPONENT_MOST, DT_ROOM_FREE}, {0, 0}};
    int rooms[] = {31, -32};
    ck_assert(!dt_exponents_repair(e, rooms, 2, HIGH));
    ck_assert(e[0].k == DT_EXPONENT_MOST && e[1].k == -DT_EXPONENT_MOST);
    rooms[0] = -1;
    ck_assert(dt_exponents_repair(e, rooms, 2, HIGH));
    ck_assert(e[0].k == DT_EXPONENT_MOST - 1 - HEADROOM && e[1].k == -DT_EXPONENT_MOST);
}
END_TEST

START_TEST(what_fits_and_what_is_zero_is_not_repaired) {
    const int coarse = 9;
    for (int room = 0; room <= coarse; room++) {
        dt_exponent e[2] = {{7, 3}, {7, 3}};
        int rooms[] = {room, DT_ROOM_FREE};
        ck_assert(!dt_exponents_repair(e, rooms, 2, coarse));
        for (int i = 0; i < 2; i++) ck_assert(e[i].k == 7 && e[i].room == 3);
    }
}
END_TEST

/* A gradient that grows or shrinks by a power of two a step, for longer than there is room: k follows, and no step is
 * ever redone. */
START_TEST(a_gradient_that_drifts_never_has_a_step_redone) {
    for (int drift = -1; drift <= 1; drift += 2) {
        dt_exponent e[2];
        dt_exponents_begin(e, 1, 24);
        int coarse = dt_exponent_coarse(limits[0], 8);
        double largest = 0x1p4;
        tries_until_it_fits(e, limits[0], &largest, 1, coarse);
        for (int step = 0; step < 60; step++) {
            int room = room_of(limits[0], &largest, 1, e->k);
            ck_assert(!dt_exponents_repair(e, &room, 1, coarse));
            dt_exponents_adapt(e, &room, 1);
            largest = ldexp(largest, drift);
        }
    }
}
END_TEST

START_TEST(between_low_and_high_an_exponent_moves_at_the_window_s_end_alone_and_by_its_scarcest_room) {
    for (int scarce = LOW; scarce <= HIGH; scarce++) {
        dt_exponent e[3];
        dt_exponents_begin(e, 2, 10);
        for (int step = 0; step < 2 * WINDOW; step++) {
            ck_assert_int_eq(e[2].k, step % WINDOW); /* the window's step crosses into checkpoints */
            int before = e[0].k, rooms[] = {step == 5 ? scarce : HIGH, DT_ROOM_FREE};
            dt_exponents_adapt(e, rooms, 2);
            bool closes = (step + 1) % WINDOW == 0;
            int least = step < WINDOW ? scarce : HIGH; /* one window knows nothing of the last */
            ck_assert_int_eq(e[0].k - before, closes && least > HEADROOM ? least - HEADROOM : 0);
            ck_assert(e[1].k == 10 && e[1].room == DT_ROOM_FREE); /* no gradient, no news */
        }
    }
}
END_TEST

START_TEST(outside_low_and_high_an_exponent_is_set_right_at_once) {
    for (int room = -8; room <= 12; room++) {
        dt_exponent e[2];
        dt_exponents_begin(e, 1, 10);
        e[0].room = LOW;
        dt_exponents_adapt(e, &room, 1);
        bool moves = room < LOW || room > HIGH;
        ck_assert_int_eq(e[0].k, moves ? 10 + room - HEADROOM : 10);
        ck_assert_int_eq(e[0].room, moves ? DT_ROOM_FREE : LOW); /* what room there was with another is forgotten */
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("exponents");
    TCase *all = tcase_create("exponents");
    tcase_add_test(all, a_sum_never_has_less_room_than_is_said_and_one_bit_more_at_most);
    tcase_add_test(all, no_gradient_is_too_large_or_too_small_for_a_bucket);
    tcase_add_test(all, any_gradient_fits_and_keeps_its_bits_after_a_few_tries);
    tcase_add_test(all, a_step_is_redone_only_when_an_exponent_can_still_move);
    tcase_add_test(all, what_fits_and_what_is_zero_is_not_repaired);
    tcase_add_test(all, a_gradient_that_drifts_never_has_a_step_redone);
    tcase_add_test(all, between_low_and_high_an_exponent_moves_at_the_window_s_end_alone_and_by_its_scarcest_room);
    tcase_add_test(all, outside_low_and_high_an_exponent_is_set_right_at_once);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
