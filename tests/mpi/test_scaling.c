/* Numbers whose mean is far from 0, such as times and pressures, on any number of ranks: nothing of what tells them
 * apart is lost, whatever their format; and what is near 0 beside them has the bits it has as float32. The truth is
 * computed in long double, which holds every 64-bit integer. */
#include <math.h>
#include <string.h>

#include "data/samples.h"
#include "data/source.h"
#include "data_set.h"

enum { SAMPLES = 300, DEPTH = 3 };

static bool fails_with(dt_status status, const char *text, const char *also) {
    bool as_told = status.code == DT_ERR_INPUT && strstr(status.message, text) && strstr(status.message, also);
    if (!as_told) fprintf(stderr, "not \"%s … %s\": %s\n", text, also, status.message);
    return as_told;
}

/* /x[SAMPLES, …] of a type and /y of zeros, opened. */
static void open_split(dt_source *source, hid_t type, int rank, const hsize_t *dimensions, const void *x) {
    static const uint8_t y[SAMPLES];
    set_part xs = {.name = "/x", .type = type, .from = type, .rank = rank, .values = x};
    memcpy(xs.dimensions, dimensions, (size_t)rank * sizeof *dimensions);
    write_set(&xs, &(set_part){"/y", H5T_NATIVE_UINT8, H5T_NATIVE_UINT8, 1, {dimensions[0]}, y});
    static const dt_recipe_data data = {.train_x = "/x", .train_y = "/y"};
    ranks_assert_ok(dt_source_open(source, &ranks, &(dt_source_request){.file = path, .data = &data}));
}

/* All samples as inputs, scaled by their own moments. */
static void gather(dt_real *x, dt_scaling *scaling, const dt_source *source, const dt_recipe_data *data) {
    int64_t index[SAMPLES];
    int32_t labels[SAMPLES];
    dt_batch batch = {.x = x, .labels = labels};
    for (int i = 0; i < SAMPLES; i++) index[i] = i;
    ranks_assert_ok(dt_scaling_open(scaling, source, data));
    if (dt_scale_is_computed(&data->scale)) ranks_assert_ok(dt_scaling_compute(scaling, &ranks, source, data));
    dt_source_fetch(source, dt_kernels_for(DT_ISA_AUTO), &(dt_scales){.input = *scaling}, NULL, index, SAMPLES, &batch);
}

/* The largest distance of x[i*stride], i < n, from the truth about from[i*stride]. */
static double largest_error(const dt_real *x, const long double *from, int n, int stride) {
    long double mean = 0, square = 0;
    double largest = 0;
    for (int i = 0; i < n; i++) mean += (from[i * stride] - from[0]) / n;
    mean += from[0];
    for (int i = 0; i < n; i++) square += (from[i * stride] - mean) * (from[i * stride] - mean) / n;
    for (int i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)x[i * stride] - (double)((from[i * stride] - mean) / sqrtl(square))));
    return largest;
}

static double noise(int i) {
    return (double)(i * 37 % 101) / 101 + (double)i / SAMPLES;
}

static const dt_recipe_data computed = {.scale.normalize = DT_NORMALIZE_STANDARDISE, .train_x = "/x", .file = "d.h5"};

/* Seconds since 1970, a pressure in pascal, and small numbers: columns of one table of doubles. */
START_TEST(doubles_far_from_zero_keep_what_tells_them_apart) {
    static double table[SAMPLES * DEPTH];
    static float near[SAMPLES * DEPTH];
    static long double truth[SAMPLES * DEPTH];
    static dt_real x[SAMPLES * DEPTH], reference[SAMPLES * DEPTH];
    for (int i = 0; i < SAMPLES; i++) {
        table[i * DEPTH] = 1.7e9 + 5 * noise(i);
        table[i * DEPTH + 1] = 101325 + 1e-4 * noise(i + 7);
        table[i * DEPTH + 2] = (double)(float)(noise(i + 3) - 0.5);
    }
    for (int i = 0; i < SAMPLES * DEPTH; i++) truth[i] = (long double)table[i], near[i] = (float)table[i];
    dt_source source;
    dt_scaling scaling;
    open_split(&source, H5T_NATIVE_DOUBLE, 2, (hsize_t[]){SAMPLES, DEPTH}, table);
    dt_recipe_data data = computed;
    data.channels = DT_CHANNELS_LAST;
    gather(x, &scaling, &source, &data);
    for (int c = 0; c < DEPTH; c++) ranks_assert(largest_error(x + c, truth + c, SAMPLES, DEPTH) < 1e-6);
    dt_scaling_close(&scaling);
    dt_source_close(&source);
    open_split(&source, H5T_NATIVE_FLOAT, 2, (hsize_t[]){SAMPLES, DEPTH}, near);
    gather(reference, &scaling, &source, &data);
    int others = 0;
    for (int i = 2; i < SAMPLES * DEPTH; i += DEPTH) others += x[i] < reference[i] || x[i] > reference[i];
    ranks_assert(others == 0);
    dt_scaling_close(&scaling);
    dt_source_close(&source);
}
END_TEST

/* The same bits from all ranks as from one alone, also of the second pass. */
START_TEST(moments_far_from_zero_are_the_same_bits_on_any_ranks) {
    static double table[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) table[i] = 1e12 + noise(i) / 3;
    dt_source source;
    dt_scaling all, alone;
    dt_ranks self = dt_ranks_alone();
    open_split(&source, H5T_NATIVE_DOUBLE, 2, (hsize_t[]){SAMPLES, 1}, table);
    ranks_assert_ok(dt_scaling_open(&all, &source, &computed));
    ranks_assert_ok(dt_scaling_open(&alone, &source, &computed));
    ranks_assert_ok(dt_scaling_compute(&all, &ranks, &source, &computed));
    ranks_assert(dt_scaling_compute(&alone, &self, &source, &computed).code == DT_OK);
    ranks_assert(all.far[0] && memcmp(all.mean, alone.mean, sizeof(double)) == 0 &&
                 memcmp(all.std, alone.std, sizeof(double)) == 0);
    dt_scaling_close(&alone);
    dt_scaling_close(&all);
    dt_source_close(&source);
}
END_TEST

/* Nanoseconds since 1970, of which a double keeps every 256th. */
START_TEST(integers_that_no_double_holds_are_told_apart) {
    static int64_t times[SAMPLES];
    static uint64_t large[SAMPLES];
    static uint32_t narrow[SAMPLES];
    static long double truth[SAMPLES];
    static dt_real x[SAMPLES];
    dt_source source;
    dt_scaling scaling;
    for (int i = 0; i < SAMPLES; i++) times[i] = 1700000000123456789 + (int64_t)(1e5 * noise(i));
    for (int i = 0; i < SAMPLES; i++) large[i] = UINT64_MAX - 1000000 + (uint64_t)(1e5 * noise(i));
    for (int i = 0; i < SAMPLES; i++) narrow[i] = UINT32_MAX - 1000 + (uint32_t)(300 * noise(i));
    open_split(&source, H5T_NATIVE_INT64, 2, (hsize_t[]){SAMPLES, 1}, times);
    gather(x, &scaling, &source, &computed);
    for (int i = 0; i < SAMPLES; i++) truth[i] = (long double)times[i];
    ranks_assert(largest_error(x, truth, SAMPLES, 1) < 128 / scaling.std[0]); /* the mean itself is a double */
    dt_scaling_close(&scaling);
    dt_source_close(&source);
    open_split(&source, H5T_NATIVE_UINT64, 2, (hsize_t[]){SAMPLES, 1}, large);
    gather(x, &scaling, &source, &computed);
    for (int i = 0; i < SAMPLES; i++) truth[i] = (long double)large[i];
    ranks_assert(largest_error(x, truth, SAMPLES, 1) < 1024 / scaling.std[0]);
    dt_scaling_close(&scaling);
    dt_source_close(&source);
    open_split(&source, H5T_NATIVE_UINT32, 2, (hsize_t[]){SAMPLES, 1}, narrow);
    gather(x, &scaling, &source, &computed);
    for (int i = 0; i < SAMPLES; i++) truth[i] = (long double)narrow[i];
    ranks_assert(largest_error(x, truth, SAMPLES, 1) < 1e-6);
    dt_scaling_close(&scaling);
    dt_source_close(&source);
}
END_TEST

START_TEST(a_mean_that_is_given_is_taken_off_before_rounding) {
    static double table[SAMPLES * 2];
    static dt_real x[SAMPLES * 2];
    for (int i = 0; i < SAMPLES * 2; i++) table[i] = 1e9 + noise(i);
    dt_source source;
    dt_scaling scaling;
    open_split(&source, H5T_NATIVE_DOUBLE, 2, (hsize_t[]){SAMPLES, 2}, table);
    gather(x, &scaling, &source, &(dt_recipe_data){.scale = {DT_NORMALIZE_GIVEN, 0, DT_REAL(1e9), DT_REAL(0.5)}});
    double worst = 0;
    for (int i = 0; i < SAMPLES * 2; i++) worst = fmax(worst, fabs((double)x[i] - (table[i] - 1e9) * 2));
    ranks_assert(worst < 1e-6);
    dt_scaling_close(&scaling);
    dt_source_close(&source);
}
END_TEST

enum { H = 3, W = 4, C = 2, ALL = H * W * C };

/* The largest distance of a moved picture from the truth, as a share of numbers above 1. */
static double moved_error(const dt_real *out, const double *picture, const dt_scaling *s, const dt_augment_draw *draw,
                          bool first) {
    double worst = 0;
    for (int i = 0; i < ALL; i++) {
        int c = first ? i / (H * W) : i % C, at = first ? i % (H * W) : i / C;
        int64_t from_x = (draw->mirrored ? W - 1 - at % W : at % W) + draw->right, from_y = at / W + draw->down;
        bool inside = from_y >= 0 && from_y < H && from_x >= 0 && from_x < W;
        int64_t from = from_y * W + from_x;
        double raw = inside ? picture[first ? c * H * W + from : from * C + c] : 0;
        double want = (raw - s->mean[c]) / s->std[c];
        worst = fmax(worst, fabs((double)out[i] - want) / fmax(1, fabs(want)));
    }
    return worst;
}

/* Planes [C, H, W] and neighbours [H, W, C], as they are and moved: what comes in from outside is 0 in the file. */
START_TEST(pictures_far_from_zero_are_moved_like_others) {
    static double pictures[SAMPLES * ALL];
    static dt_real x[SAMPLES * ALL];
    const dt_augment_draw draws[] = {{0, 0, false}, {1, -2, true}, {-1, 1, false}, {0, 3, true}};
    bool first = _i == 0;
    for (int i = 0; i < SAMPLES * ALL; i++) pictures[i] = (first ? i / (H * W) : i) % C ? noise(i) : 2e8 + noise(i);
    dt_recipe_data data = computed;
    data.channels = first ? DT_CHANNELS_FIRST : DT_CHANNELS_LAST;
    dt_source source;
    dt_scaling s;
    hsize_t dimensions[] = {SAMPLES, first ? C : H, first ? H : W, first ? W : C};
    open_split(&source, H5T_NATIVE_DOUBLE, 4, dimensions, pictures);
    gather(x, &s, &source, &data);
    ranks_assert(s.far[0] && !s.far[1]);
    for (int d = 0; d < (int)(sizeof draws / sizeof *draws); d++) {
        dt_real out[ALL];
        dt_augment_sample(out, pictures, DT_F64, dt_kernels_for(DT_ISA_AUTO), &s, &draws[d]);
        ranks_assert(moved_error(out, pictures, &s, &draws[d], first) < 1e-6);
        if (d == 0) ranks_assert(memcmp(out, x, sizeof out) == 0);
    }
    dt_scaling_close(&s);
    dt_source_close(&source);
}
END_TEST

START_TEST(doubles_that_never_change_have_deviation_one) {
    static double table[SAMPLES * 6];
    static dt_real x[SAMPLES * 6];
    const double constants[] = {0.1, 1e9 + 0.1, -3.3e-5, 1e33};
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < SAMPLES * 6; i++) table[i] = constants[k];
        dt_source source;
        dt_scaling s;
        dt_recipe_data data = computed;
        data.channels = DT_CHANNELS_NONE;
        open_split(&source, H5T_NATIVE_DOUBLE, 2, (hsize_t[]){SAMPLES, 6}, table);
        gather(x, &s, &source, &data);
        double worst = 0;
        for (int i = 0; i < SAMPLES * 6; i++) worst = fmax(worst, fabs((double)x[i]));
        ranks_assert(s.std[0] == 1 && worst < 1e-6);
        dt_scaling_close(&s);
        dt_source_close(&source);
    }
}
END_TEST

/* ---- targets, and other ways to scale ---- */

enum { TARGETS = 2 };

/* /x[SAMPLES, 3] and values /y[SAMPLES, TARGETS], whose units differ by 12 orders of magnitude. */
static void open_values(dt_source *source, const dt_recipe_data *data, double *x, double *y) {
    for (int i = 0; i < SAMPLES; i++) {
        x[i * 3] = 4e6 * noise(i), x[i * 3 + 1] = 1e-5 * noise(i + 9), x[i * 3 + 2] = -7;
        y[i * TARGETS] = 101325 + 1e6 * noise(i + 5), y[i * TARGETS + 1] = 1e-6 * noise(i + 2);
    }
    set_part xs = {.name = "/x", .type = H5T_NATIVE_DOUBLE, .from = H5T_NATIVE_DOUBLE, .rank = 2, .values = x};
    set_part ys = {.name = "/y", .type = H5T_NATIVE_DOUBLE, .from = H5T_NATIVE_DOUBLE, .rank = 2, .values = y};
    xs.dimensions[0] = ys.dimensions[0] = SAMPLES;
    xs.dimensions[1] = 3, ys.dimensions[1] = TARGETS;
    write_set(&xs, &ys);
    const dt_source_request request = {.file = path, .data = data, .loss = DT_LOSS_MEAN_SQUARED_ERROR};
    ranks_assert_ok(dt_source_open(source, &ranks, &request));
}

static const dt_recipe_data of_values = {.train_x = "/x",
                                         .train_y = "/y",
                                         .scale.normalize = DT_NORMALIZE_MIN_MAX,
                                         .target.normalize = DT_NORMALIZE_STANDARDISE};

static void ends_of(const double *from, int n, int stride, double *least, double *most) {
    *least = *most = from[0];
    for (int i = 0; i < n; i++) *least = fmin(*least, from[i * stride]), *most = fmax(*most, from[i * stride]);
}

START_TEST(inputs_go_from_0_to_1_and_targets_come_back_from_what_is_learned) {
    static double from[SAMPLES * 3], targets[SAMPLES * TARGETS], back[SAMPLES * TARGETS];
    static dt_real x[SAMPLES * 3], values[SAMPLES * TARGETS];
    dt_recipe_data data = of_values;
    data.scale.by = data.target.by = _i ? DT_NORMALIZE_BY_ALL : DT_NORMALIZE_BY_CHANNEL;
    dt_source source;
    dt_scales scales;
    open_values(&source, &data, from, targets);
    ranks_assert_ok(dt_scales_open(&scales, &source, &data));
    ranks_assert_ok(dt_scales_compute(&scales, &ranks, &source, &data));
    ranks_assert(scales.input.channels == (_i ? 1 : 3) && scales.target.channels == (_i ? 1 : TARGETS));
    int64_t index[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) index[i] = i;
    dt_batch batch = {.x = x, .values = values};
    dt_source_fetch(&source, dt_kernels_for(DT_ISA_AUTO), &scales, NULL, index, SAMPLES, &batch);
    double worst = 0, least, most, units[TARGETS], square = 0;
    for (int c = 0; c < 3; c++) {
        ends_of(from + (_i ? 0 : c), _i ? SAMPLES * 3 : SAMPLES, _i ? 1 : 3, &least, &most);
        for (int i = c; i < SAMPLES * 3; i += 3)
            worst = fmax(worst, fabs((double)x[i] - (from[i] - least) / (most > least ? most - least : 1)));
    }
    ranks_assert(worst < 1e-6);
    /* of what is learned the mean is 0 and the deviation 1, and its unit is what a derivative is to be multiplied by */
    for (int i = 0; i < SAMPLES * TARGETS; i++) square += (double)values[i] * (double)values[i];
    ranks_assert(fabs(square / (SAMPLES * TARGETS) - 1) < 1e-5);
    dt_scaling_undo(back, &scales.target, values, SAMPLES * TARGETS);
    dt_scaling_undo_here(values, &scales.target, SAMPLES * TARGETS);
    dt_scaling_units(units, &scales.target);
    worst = 0;
    for (int i = 0; i < SAMPLES * TARGETS; i++) {
        worst = fmax(worst, fabs(back[i] - targets[i]) / units[i % TARGETS]);
        worst = fmax(worst, fabs((double)values[i] - back[i]) / fabs(back[i]));
        worst = fmax(worst, fabs(batch.units[i % TARGETS] - units[i % TARGETS]));
    }
    ranks_assert(worst < 1e-6);
    dt_scales_close(&scales);
    dt_source_close(&source);
}
END_TEST

START_TEST(scales_of_targets_are_the_same_bits_on_any_ranks) {
    static double from[SAMPLES * 3], targets[SAMPLES * TARGETS];
    dt_recipe_data data = of_values;
    data.target.by = _i ? DT_NORMALIZE_BY_ALL : DT_NORMALIZE_BY_CHANNEL;
    dt_source source;
    dt_scales all, alone;
    dt_ranks self = dt_ranks_alone();
    open_values(&source, &data, from, targets);
    ranks_assert_ok(dt_scales_open(&all, &source, &data));
    ranks_assert_ok(dt_scales_open(&alone, &source, &data));
    ranks_assert_ok(dt_scales_compute(&all, &ranks, &source, &data));
    ranks_assert(dt_scales_compute(&alone, &self, &source, &data).code == DT_OK);
    const size_t bytes = sizeof(double) * (size_t)all.target.channels;
    ranks_assert(memcmp(all.target.mean, alone.target.mean, bytes) == 0);
    ranks_assert(memcmp(all.target.std, alone.target.std, bytes) == 0);
    ranks_assert(memcmp(all.input.std, alone.input.std, 3 * sizeof(double)) == 0 && all.input.std[2] == 1);
    dt_scales_close(&all);
    dt_scales_close(&alone);
    dt_source_close(&source);
}
END_TEST

static dt_status spoilt(hid_t type, const void *values) {
    dt_source source;
    dt_scaling s;
    open_split(&source, type, 2, (hsize_t[]){SAMPLES, 2}, values);
    ranks_assert_ok(dt_scaling_open(&s, &source, &computed));
    dt_status status = dt_scaling_compute(&s, &ranks, &source, &computed);
    dt_scaling_close(&s);
    dt_source_close(&source);
    return status;
}

START_TEST(the_row_without_a_usable_number_is_named) {
    static double wide[SAMPLES * 2];
    static float narrow[SAMPLES * 2];
    for (int i = 0; i < SAMPLES * 2; i++) wide[i] = narrow[i] = (float)noise(i);
    wide[2 * 200 + 1] = wide[2 * 290] = 1e300;
    ranks_assert(fails_with(spoilt(H5T_NATIVE_DOUBLE, wide), "d.h5: row 200 of /x has 1e+300",
                            "finite in the file but beyond float32"));
    narrow[2 * 61] = NAN;
    narrow[2 * 250] = INFINITY;
    ranks_assert(fails_with(spoilt(H5T_NATIVE_FLOAT, narrow), "row 61 of /x is not finite", "channel 0"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("scaling");
    TCase *tests = tcase_create("scaling");
    tcase_add_checked_fixture(tests, make_path, remove_path);
    tcase_add_test(tests, doubles_far_from_zero_keep_what_tells_them_apart);
    tcase_add_test(tests, moments_far_from_zero_are_the_same_bits_on_any_ranks);
    tcase_add_test(tests, integers_that_no_double_holds_are_told_apart);
    tcase_add_test(tests, a_mean_that_is_given_is_taken_off_before_rounding);
    tcase_add_loop_test(tests, pictures_far_from_zero_are_moved_like_others, 0, 2);
    tcase_add_test(tests, doubles_that_never_change_have_deviation_one);
    tcase_add_loop_test(tests, inputs_go_from_0_to_1_and_targets_come_back_from_what_is_learned, 0, 2);
    tcase_add_loop_test(tests, scales_of_targets_are_the_same_bits_on_any_ranks, 0, 2);
    tcase_add_test(tests, the_row_without_a_usable_number_is_named);
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
