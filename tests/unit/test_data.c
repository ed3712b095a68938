/* The order of an epoch, shards, augmentation, and the IDX importer. The importer is given every way of being wrong we
 * could think of; each time it must fail, say which file, and leave the destination as it was. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "data/import.h"
#include "data/samples.h"
#include "data/source.h"
#include "suite.h"

/* ---- the order of an epoch ---- */

static void assert_permutation(int64_t samples, int64_t seed, int64_t epoch) {
    dt_sampler sampler = dt_sampler_at(samples, true, seed, epoch);
    unsigned char *seen = calloc((size_t)samples, 1);
    ck_assert_ptr_nonnull(seen);
    for (int64_t i = 0; i < samples; i++) { /* an assertion each would take most of the time */
        int64_t sample = dt_sampler_index(&sampler, i);
        bool inside = sample >= 0 && sample < samples;
        if (!inside || seen[sample]++)
            ck_abort_msg("of %lld: position %lld gives %lld%s", (long long)samples, (long long)i, (long long)sample,
                         inside ? " again" : "");
    }
    free(seen);
}

START_TEST(every_sample_of_small_sets_comes_exactly_once) {
    for (int64_t samples = 1; samples <= 300; samples++)
        for (int64_t epoch = 0; epoch < 5; epoch++) assert_permutation(samples, 42, epoch);
}
END_TEST

START_TEST(every_sample_of_large_sets_comes_exactly_once) {
    static const int64_t sizes[] = {4095, 4096, 4097, 60000, 65536, 65537, 1000003, (1 << 20) + 1};
    for (int i = 0; i < COUNT(sizes); i++) assert_permutation(sizes[i], -7, i);
}
END_TEST

/* Every sample once, and those of a window are those of its blocks. */
static void assert_by_blocks(int64_t samples, int64_t block, int64_t window, int64_t epoch) {
    dt_sampler sampler = dt_sampler_by_blocks(samples, block, window, 5, epoch);
    unsigned char seen[300] = {0};
    int64_t order[300], position = 0, slots = 0;
    dt_sampler_indices(&sampler, 0, samples, order);
    for (int64_t number = 0; number < dt_sampler_windows(&sampler); number++) {
        dt_sampler_window w = dt_sampler_window_at(&sampler, position);
        bool in_window[300] = {false};
        ck_assert(w.number == number && w.begin == position && w.first == slots && w.size > 0 && w.count > 0);
        int64_t inside = 0;
        for (int64_t slot = w.first; slot < w.first + w.count; slot++) {
            int64_t first, count;
            dt_sampler_block(&sampler, slot, &first, &count);
            ck_assert(first % block == 0 && count > 0 && (count == block || first + count == samples));
            for (int64_t i = first; i < first + count; i++) in_window[i] = true;
            inside += count;
        }
        ck_assert_int_eq(inside, w.size);
        for (int64_t i = 0; i < w.size; i++, position++) {
            ck_assert_int_eq(dt_sampler_index(&sampler, position), order[position]);
            ck_assert(in_window[order[position]] && !seen[order[position]]++);
            ck_assert_int_eq(dt_sampler_window_at(&sampler, position).number, number);
        }
        slots += w.count;
    }
    ck_assert_int_eq(position, samples);
}

START_TEST(by_blocks_every_sample_comes_once_in_the_window_of_its_block) {
    for (int64_t samples = 1; samples <= 60; samples++)
        for (int64_t block = 1; block <= 11; block += 2)
            for (int64_t window = 1; window <= 6; window++) assert_by_blocks(samples, block, window, samples % 3);
    assert_by_blocks(300, 32, 4, 1);
    assert_by_blocks(299, 64, 2, 8);
    assert_by_blocks(100, 1000, 32, 0);
}
END_TEST

/* Position 0 has any sample of any pair of blocks: 23 samples are five blocks of four and one of three. */
START_TEST(by_blocks_the_first_sample_is_any_sample) {
    enum { SAMPLES = 23, BLOCK = 4, DRAWS = 60000 };
    int count[SAMPLES] = {0};
    for (int epoch = 0; epoch < DRAWS; epoch++) {
        dt_sampler sampler = dt_sampler_by_blocks(SAMPLES, BLOCK, 2, 77, epoch);
        count[dt_sampler_index(&sampler, 0)]++;
    }
    double chi = 0;
    for (int i = 0; i < SAMPLES; i++) {
        bool shorter = i >= 20;
        double share = (shorter ? 1.0 / 7 : (4.0 / 8 + 1.0 / 7) / 5) / 3, expected = share * DRAWS;
        chi += (count[i] - expected) * (count[i] - expected) / expected;
    }
    ck_assert_msg(chi < 48, "chi-square is %g, of 22 degrees of freedom", chi); /* p = 0.001 */
}
END_TEST

START_TEST(by_blocks_epochs_and_seeds_differ_and_a_huge_set_costs_nothing) {
    dt_sampler one = dt_sampler_by_blocks(INT64_C(1) << 40, 4096, 32, 1, 0);
    dt_sampler next = dt_sampler_in(&one, 1), other = dt_sampler_by_blocks(INT64_C(1) << 40, 4096, 32, 2, 0);
    int64_t a[64], b[64], c[64], again[64];
    dt_sampler_indices(&one, 987654321012, 64, a);
    dt_sampler_indices(&next, 987654321012, 64, b);
    dt_sampler_indices(&other, 987654321012, 64, c);
    one = dt_sampler_in(&next, 0);
    dt_sampler_indices(&one, 987654321012, 64, again);
    ck_assert_mem_eq(a, again, sizeof a);
    ck_assert_mem_ne(a, b, sizeof a);
    ck_assert_mem_ne(a, c, sizeof a);
}
END_TEST

/* Runs go on in this order: it must stay. */
START_TEST(by_blocks_the_order_is_the_one_runs_began_with) {
    static const int64_t ten[] = {1, 8, 7, 2, 0, 6, 3, 4, 9, 5};
    dt_sampler sampler = dt_sampler_by_blocks(10, 3, 2, 1, 0);
    for (int i = 0; i < 10; i++) ck_assert_int_eq(dt_sampler_index(&sampler, i), ten[i]);
    sampler = dt_sampler_by_blocks(60000, 4096, 4, 42, 7);
    ck_assert_int_eq(dt_sampler_index(&sampler, 0), 46970);
    ck_assert_int_eq(dt_sampler_index(&sampler, 59999), 19856);
    sampler = dt_sampler_by_blocks(INT64_C(1) << 40, 4096, 32, -3, 1000000);
    ck_assert_int_eq(dt_sampler_index(&sampler, (INT64_C(1) << 40) - 1), INT64_C(761899390534));
}
END_TEST

static int compare_i64(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

START_TEST(samples_of_huge_sets_are_inside_and_different) {
    enum { DRAWS = 100000 };
    static int64_t drawn[DRAWS];
    for (int bits = 31; bits <= 40; bits += 3) {
        int64_t samples = (INT64_C(1) << bits) + (bits % 2), stride = samples / DRAWS;
        dt_sampler sampler = dt_sampler_at(samples, true, 1, 2);
        for (int i = 0; i < DRAWS; i++) drawn[i] = dt_sampler_index(&sampler, i * stride);
        qsort(drawn, DRAWS, sizeof *drawn, compare_i64);
        int equal = 0;
        for (int i = 1; i < DRAWS; i++) equal += drawn[i] == drawn[i - 1];
        ck_assert_int_eq(equal, 0);
        ck_assert(drawn[0] >= 0 && drawn[DRAWS - 1] < samples);
    }
}
END_TEST

/* From an implementation of Philox and the network in Python. A run that is resumed by a later version of the program
 * must see the same order: these numbers never change. */
START_TEST(the_order_is_the_published_one) {
    static const int64_t ten[] = {4, 2, 8, 5, 0, 6, 3, 1, 7, 9};
    dt_sampler sampler = dt_sampler_at(10, true, 1, 0);
    for (int i = 0; i < 10; i++) ck_assert_int_eq(dt_sampler_index(&sampler, i), ten[i]);
    sampler = dt_sampler_at(60000, true, 42, 7);
    ck_assert_int_eq(dt_sampler_index(&sampler, 0), 55081);
    ck_assert_int_eq(dt_sampler_index(&sampler, 59999), 27441);
    sampler = dt_sampler_at(INT64_C(1) << 40, true, -3, 1000000);
    ck_assert_int_eq(dt_sampler_index(&sampler, 0), INT64_C(59243791470));
    ck_assert_int_eq(dt_sampler_index(&sampler, (INT64_C(1) << 40) - 1), INT64_C(640669542343));
}
END_TEST

START_TEST(without_shuffling_the_order_is_the_files) {
    dt_sampler sampler = dt_sampler_at(1000, false, 3, 4);
    for (int64_t i = 0; i < 1000; i++) ck_assert_int_eq(dt_sampler_index(&sampler, i), i);
}
END_TEST

/* Two random orders of n agree in one position on average (and in more than 12 with probability 1e-10). */
START_TEST(epochs_and_seeds_have_orders_of_their_own) {
    enum { SAMPLES = 1000 };
    static const int64_t runs[][2] = {{0, 0}, {0, 1},  {0, 2},         {1, 0},
                                      {2, 0}, {-1, 0}, {1LL << 40, 0}, {0, 1LL << 40}}; /* {seed, epoch} */
    for (int a = 0; a < COUNT(runs); a++) {
        for (int b = 0; b < a; b++) {
            dt_sampler first = dt_sampler_at(SAMPLES, true, runs[a][0], runs[a][1]);
            dt_sampler second = dt_sampler_at(SAMPLES, true, runs[b][0], runs[b][1]);
            int equal = 0;
            for (int64_t i = 0; i < SAMPLES; i++) equal += dt_sampler_index(&first, i) == dt_sampler_index(&second, i);
            ck_assert_int_le(equal, 12);
        }
    }
}
END_TEST

/* A chi-square statistic as its distance from its mean in standard deviations. */
static double distance(const int *counts, int cells, double expected, double freedom) {
    double sum = 0;
    for (int i = 0; i < cells; i++) sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return (sum - freedom) / sqrt(2 * freedom);
}

/* Position and sample, and a sample and the one after it, are independent. 4 rounds fail. */
START_TEST(orders_are_uniform) {
    static const int sizes[] = {5, 10, 33, 60, 100};
    static int at[100 * 100], after[100 * 100], pairs[100 * 100];
    int n = sizes[_i], epochs = 4000000 / n;
    memset(at, 0, sizeof at);
    memset(after, 0, sizeof after);
    for (int epoch = 0; epoch < epochs; epoch++) {
        dt_sampler sampler = dt_sampler_at(n, true, 9, epoch);
        for (int i = 0, last = 0; i < n; i++) {
            int sample = (int)dt_sampler_index(&sampler, i);
            at[i * n + sample]++;
            if (i > 0) after[last * n + sample]++;
            last = sample;
        }
    }
    int count = 0;
    for (int i = 0; i < n * n; i++)
        if (i / n != i % n) pairs[count++] = after[i]; /* no sample follows itself */
    ck_assert_double_lt(fabs(distance(at, n * n, (double)epochs / n, (n - 1.0) * (n - 1.0))), 5);
    ck_assert_double_lt(fabs(distance(pairs, count, (double)epochs / n, count - 1.0)), 5);
}
END_TEST

START_TEST(all_orders_of_a_few_samples_are_equally_likely) {
    static int seen[720];
    for (int n = 3, orders = 6; n <= 6; n++, orders *= n) {
        memset(seen, 0, sizeof seen);
        for (int epoch = 0; epoch < orders * 400; epoch++) {
            dt_sampler sampler = dt_sampler_at(n, true, 7, epoch);
            int sample[6], code = 0;
            for (int i = 0; i < n; i++) sample[i] = (int)dt_sampler_index(&sampler, i);
            for (int i = 0; i < n; i++) {
                int smaller = 0;
                for (int j = i + 1; j < n; j++) smaller += sample[j] < sample[i];
                code = code * (n - i) + smaller;
            }
            seen[code]++;
        }
        ck_assert_double_lt(fabs(distance(seen, orders, 400, orders - 1.0)), 5);
    }
}
END_TEST

START_TEST(shards_divide_every_batch) {
    for (int64_t rows = 0; rows <= 60; rows++) {
        for (int64_t shards = 1; shards <= 17; shards++) {
            int64_t next = 0, last = rows;
            for (int64_t shard = 0; shard < shards; shard++) {
                int64_t first, count;
                dt_shard_range(rows, shards, shard, &first, &count);
                ck_assert_int_eq(first, next);
                ck_assert_int_le(count, last);
                ck_assert(count == rows / shards || count == rows / shards + 1);
                next = first + count;
                last = count;
            }
            ck_assert_int_eq(next, rows);
        }
    }
}
END_TEST

/* ---- augmentation ---- */

static dt_scaling scaling_of(dt_source *source, dt_shape shape, dt_recipe_data *data) {
    dt_scaling scaling;
    source->about.input = shape;
    dt_status status = dt_scaling_open(&scaling, source, data);
    ck_assert_msg(status.code == DT_OK, "%s", status.message);
    return scaling;
}

START_TEST(draws_depend_on_seed_epoch_and_sample_alone) {
    dt_recipe_data data = {.crop_padding = 4, .flip = true};
    dt_augment a = dt_augment_at(&data, 1, 2), b = dt_augment_at(&data, 1, 3), c = dt_augment_at(&data, 2, 2);
    int same_epoch = 0, same_seed = 0, same_sample = 0;
    for (int64_t i = 0; i < 1000; i++) {
        dt_augment again = dt_augment_at(&data, 1, 2);
        dt_augment_draw draw = dt_augment_draw_of(&a, i), twin = dt_augment_draw_of(&again, i);
        dt_augment_draw others[] = {dt_augment_draw_of(&b, i), dt_augment_draw_of(&c, i),
                                    dt_augment_draw_of(&a, i + 1)};
        int *counts[] = {&same_epoch, &same_seed, &same_sample};
        ck_assert(draw.down == twin.down && draw.right == twin.right && draw.mirrored == twin.mirrored);
        for (int o = 0; o < 3; o++)
            *counts[o] +=
                draw.down == others[o].down && draw.right == others[o].right && draw.mirrored == others[o].mirrored;
    }
    /* one in 162 by chance; 30 have probability 1e-13 */
    ck_assert_int_lt(same_epoch, 30);
    ck_assert_int_lt(same_seed, 30);
    ck_assert_int_lt(same_sample, 30);
}
END_TEST

START_TEST(every_offset_occurs_as_often_and_half_are_mirrored) {
    enum { PADDING = 2, PLACES = 5, DRAWS = 25000 };
    dt_recipe_data data = {.crop_padding = PADDING, .flip = true};
    dt_augment augment = dt_augment_at(&data, 7, 0);
    int seen[PLACES * PLACES] = {0}, mirrored = 0;
    for (int64_t i = 0; i < DRAWS; i++) {
        dt_augment_draw draw = dt_augment_draw_of(&augment, i);
        ck_assert(llabs(draw.down) <= PADDING && llabs(draw.right) <= PADDING);
        seen[(draw.down + PADDING) * PLACES + draw.right + PADDING]++;
        mirrored += draw.mirrored;
    }
    ck_assert_double_lt(fabs(distance(seen, PLACES * PLACES, DRAWS / 25.0, 24)), 5);
    ck_assert_int_lt(abs(mirrored - DRAWS / 2), 5 * 80); /* a standard deviation is 79 */
    data.flip = false;
    augment = dt_augment_at(&data, 7, 0);
    for (int64_t i = 0; i < 1000; i++) ck_assert(!dt_augment_draw_of(&augment, i).mirrored);
}
END_TEST

static const struct {
    dt_shape shape;
    dt_channels channels;
    int64_t strides[3]; /* of channel, line and column */
} pictures[] = {
    {{2, {5, 7}}, DT_CHANNELS_AUTO, {0, 7, 1}},      {{3, {5, 7, 1}}, DT_CHANNELS_AUTO, {1, 7, 1}},
    {{3, {5, 7, 3}}, DT_CHANNELS_AUTO, {1, 21, 3}},  {{3, {5, 7, 3}}, DT_CHANNELS_LAST, {1, 21, 3}},
    {{3, {3, 5, 7}}, DT_CHANNELS_FIRST, {35, 7, 1}}, {{3, {1, 5, 7}}, DT_CHANNELS_FIRST, {35, 7, 1}},
};

/* Every pixel against where the draw says it comes from, with one scale for all and one a channel. */
START_TEST(an_augmented_picture_is_the_moved_and_mirrored_one) {
    enum { H = 5, W = 7, PADDING = 4 };
    const dt_kernels *kernels = dt_kernels_for(DT_ISA_AUTO);
    dt_source source = {0};
    for (int p = 0; p < COUNT(pictures) * 2; p++) {
        dt_recipe_data data = {.crop_padding = PADDING,
                               .flip = true,
                               .scale = {.normalize = p % 2 ? DT_NORMALIZE_STANDARDISE : DT_NORMALIZE_GIVEN,
                                         .mean = DT_REAL(40),
                                         .std = DT_REAL(8)},
                               .channels = (int)pictures[p / 2].channels};
        dt_scaling s = scaling_of(&source, pictures[p / 2].shape, &data);
        for (int64_t c = 0; c < s.channels; c++) s.mean[c] = 40 + 10.0 * (double)c, s.std[c] = 8;
        dt_scaling_settle(&s);
        int64_t count = dt_shape_count(&source.about.input), depth = count / (H * W);
        uint8_t sample[H * W * 3];
        for (int64_t i = 0; i < count; i++) sample[i] = (uint8_t)(i * 37 % 251);
        const int64_t *stride = pictures[p / 2].strides;
        for (int d = 0; d < 9 * 9 * 2; d++) {
            dt_augment_draw draw = {d / 18 - PADDING, d / 2 % 9 - PADDING, d % 2};
            float out[H * W * 3];
            dt_augment_sample(out, sample, DT_U8, kernels, &s, &draw);
            for (int64_t c = 0; c < depth; c++)
                for (int64_t y = 0; y < H; y++)
                    for (int64_t x = 0; x < W; x++) {
                        int64_t from_y = y + draw.down, from_x = (draw.mirrored ? W - 1 - x : x) + draw.right;
                        bool inside = from_y >= 0 && from_y < H && from_x >= 0 && from_x < W;
                        double raw = inside ? sample[c * stride[0] + from_y * stride[1] + from_x * stride[2]] : 0;
                        double want = (raw - (s.channels > 1 ? s.mean[c] : 40)) / 8;
                        ck_assert_double_eq_tol((double)out[c * stride[0] + y * stride[1] + x * stride[2]], want, 1e-5);
                    }
        }
        dt_scaling_close(&s);
    }
}
END_TEST

START_TEST(a_picture_that_stays_where_it_is_has_the_bits_of_one_that_is_not_augmented) {
    const dt_kernels *kernels = dt_kernels_for(DT_ISA_AUTO);
    dt_source source = {0};
    for (int p = 0; p < COUNT(pictures) * 2; p++) {
        dt_recipe_data data = {.scale.normalize = p % 2 ? DT_NORMALIZE_STANDARDISE : DT_NORMALIZE_GIVEN,
                               .channels = (int)pictures[p / 2].channels};
        dt_scaling s = scaling_of(&source, pictures[p / 2].shape, &data);
        for (int64_t c = 0; c < s.channels; c++) s.mean[c] = 33.3, s.std[c] = 7.7;
        dt_scaling_settle(&s);
        float sample[105], plain[105], still[105];
        for (int i = 0; i < 105; i++) sample[i] = (float)(i * 37 % 251) / 3;
        dt_scale_sample(plain, sample, DT_F32, kernels, &s);
        dt_augment_sample(still, sample, DT_F32, kernels, &s, &(dt_augment_draw){0, 0, false});
        ck_assert_int_eq(memcmp(plain, still, (size_t)dt_shape_count(&source.about.input) * sizeof *plain), 0);
        dt_scaling_close(&s);
    }
}
END_TEST

START_TEST(what_is_no_picture_is_not_augmented) {
    static const struct {
        dt_shape shape;
        dt_channels channels;
        const char *says;
    } rows[] = {
        {{1, {784}}, DT_CHANNELS_AUTO, "samples of /x are [784]"},
        {{2, {28, 28}}, DT_CHANNELS_LAST, "pictures"},
        {{4, {2, 28, 28, 3}}, DT_CHANNELS_AUTO, "[2, 28, 28, 3]"},
        {{0, {0}}, DT_CHANNELS_FIRST, "pictures"},
        {{2, {2, 28}}, DT_CHANNELS_AUTO, "2 x 28 pixels"},
        {{2, {28, 2}}, DT_CHANNELS_AUTO, "crop_padding is 2"},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        dt_source source = {.about = {.input = rows[i].shape}};
        dt_recipe_data data = {.crop_padding = 2, .channels = (int)rows[i].channels, .train_x = "/x", .file = "d.h5"};
        dt_scaling scaling;
        dt_status status = dt_scaling_open(&scaling, &source, &data);
        ck_assert_int_eq(status.code, DT_ERR_INPUT);
        ck_assert_msg(strstr(status.message, rows[i].says) != NULL, "%s", status.message);
    }
}
END_TEST

/* ---- IDX files ---- */

static char directory[64];

static void enter_directory(void) {
    snprintf(directory, sizeof directory, "/tmp/dtrain-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
}

static int files_in(const char *path, bool delete) {
    DIR *listing = opendir(path);
    ck_assert_ptr_nonnull(listing);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        count++;
        if (delete) remove(entry->d_name);
    }
    closedir(listing);
    return count;
}

static void leave_directory(void) {
    files_in(".", true);
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(directory);
}

/* Bytes in the making. */
typedef struct bytes {
    unsigned char at[8192];
    size_t count;
} bytes;

static void add(bytes *to, const void *data, size_t count) {
    ck_assert(to->count + count <= sizeof to->at);
    memcpy(to->at + to->count, data, count);
    to->count += count;
}

static bytes idx_header(unsigned char type, int rank, const uint32_t *dimensions) {
    bytes file = {.count = 0};
    add(&file, (unsigned char[]){0, 0, type, (unsigned char)rank}, 4);
    for (int i = 0; i < rank; i++) {
        uint32_t d = dimensions[i];
        add(&file,
            (unsigned char[]){(unsigned char)(d >> 24), (unsigned char)(d >> 16), (unsigned char)(d >> 8),
                              (unsigned char)d},
            4);
    }
    return file;
}

/* An IDX file of bytes 1, 2, 3, … */
static bytes idx_of(int rank, const uint32_t *dimensions) {
    bytes file = idx_header(0x08, rank, dimensions);
    uint32_t count = 1;
    for (int i = 0; i < rank; i++) count *= dimensions[i];
    for (uint32_t i = 1; i <= count; i++) add(&file, (unsigned char[]){(unsigned char)i}, 1);
    return file;
}

static bytes images(void) {
    return idx_of(3, (uint32_t[]){3, 2, 2});
}
static bytes labels(void) {
    return idx_of(1, (uint32_t[]){3});
}

static void put(const char *name, bytes file) {
    FILE *out = fopen(name, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert(fwrite(file.at, 1, file.count, out) == file.count);
    ck_assert_int_eq(fclose(out), 0);
}

static bytes gzipped(bytes file) {
    bytes packed = {.count = 0};
    z_stream stream = {.next_in = file.at, .avail_in = (uInt)file.count};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = packed.at;
    stream.avail_out = sizeof packed.at;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.count = sizeof packed.at - stream.avail_out;
    deflateEnd(&stream);
    return packed;
}

static dt_status import_idx(int count, const char *const *sources, const char *destination) {
    return dt_import_run(dt_importer_find("idx"),
                         &(dt_import){.source_count = count, .sources = sources, .destination = destination});
}

static dt_status import(const char *x, const char *y) {
    return import_idx(2, (const char *const[]){x, y}, "dest.h5");
}

/* What was there before an import that is going to fail. */
static void put_destination(void) {
    bytes before = {.count = 0};
    add(&before, "before", 6);
    put("dest.h5", before);
}

static void assert_failed(dt_status status, dt_code code, const char *file, const char *text) {
    ck_assert_msg(status.code == code, "code %d instead of %d: %s", status.code, code, status.message);
    ck_assert_msg(strstr(status.message, file) != NULL, "\"%s\" does not name %s", status.message, file);
    ck_assert_msg(strstr(status.message, text) != NULL, "\"%s\" does not say \"%s\"", status.message, text);
    char left[16] = "";
    FILE *destination = fopen("dest.h5", "rb");
    ck_assert_ptr_nonnull(destination);
    ck_assert_msg(fread(left, 1, sizeof left, destination) == 6 && memcmp(left, "before", 6) == 0,
                  "the destination was touched");
    fclose(destination);
}

/* Imports `file` as images beside good labels. */
static void assert_bad_images(bytes file, const char *text) {
    put("images", file);
    put("labels", labels());
    put_destination();
    assert_failed(import("images", "labels"), DT_ERR_CORRUPT, "images", text);
    ck_assert_int_eq(files_in(".", false), 3);
}

START_TEST(a_bad_header_is_refused) {
    bytes file = images();
    memcpy(file.at, "\x89PNG", 4);
    assert_bad_images(file, "begins with the bytes 89 50");
    file = images();
    file.at[2] = 0x0A;
    assert_bad_images(file, "type 0x0a");
    file = images();
    file.at[3] = 0;
    assert_bad_images(file, "0 dimensions");
    file.at[3] = 5;
    assert_bad_images(file, "5 dimensions");
    for (int i = 0; i < 3; i++) {
        file = images();
        file.at[4 + 4 * i + 3] = 0;
        assert_bad_images(file, "is 0");
    }
    file = images();
    memset(file.at + 4, 0xff, 12);
    assert_bad_images(file, "too large");
    file = idx_of(3, (uint32_t[]){3, 2, 2});
    file.at[3] = 2; /* the third dimension becomes data */
    assert_bad_images(file, "10 bytes too long");
}
END_TEST

START_TEST(an_empty_file_is_refused) {
    assert_bad_images((bytes){.count = 0}, "empty");
    assert_bad_images(gzipped((bytes){.count = 0}), "too short for an IDX header");
}
END_TEST

START_TEST(every_other_length_is_refused) {
    bytes whole = images(), longer = images();
    for (size_t length = 1; length < whole.count; length++) {
        bytes cut = whole;
        cut.count = length;
        assert_bad_images(cut, "");
        assert_bad_images(gzipped(cut), "");
    }
    whole.count -= 5;
    assert_bad_images(whole, "5 bytes too short");
    assert_bad_images(gzipped(whole), "5 bytes too short");
    add(&longer, "1234567", 7);
    assert_bad_images(longer, "7 bytes too long");
    assert_bad_images(gzipped(longer), "7 bytes too long");
}
END_TEST

START_TEST(a_header_that_promises_the_moon_reserves_no_space) {
    bytes file = idx_header(0x08, 3, (uint32_t[]){4000000000U, 1000, 1000});
    add(&file, "few", 3);
    bytes packed = gzipped(file);
    put("images", packed);
    put("labels", idx_header(0x08, 1, (uint32_t[]){4000000000U}));
    put_destination();
    assert_failed(import("images", "labels"), DT_ERR_CORRUPT, "images", "more than");
    put("images", file);
    assert_failed(import("images", "labels"), DT_ERR_CORRUPT, "images", "too short");
}
END_TEST

START_TEST(every_cut_of_a_gzip_file_is_noticed) {
    bytes whole = gzipped(images());
    for (size_t length = 1; length < whole.count; length++) {
        bytes cut = whole;
        cut.count = length;
        assert_bad_images(cut, "");
    }
    whole.count -= 1; /* all data is there, the checksum is not */
    assert_bad_images(whole, "cut short");
}
END_TEST

START_TEST(what_follows_gzip_data_is_refused) {
    bytes file = gzipped(images());
    add(&file, "x", 1);
    assert_bad_images(file, "follows");
    file = gzipped(images());
    add(&file, "\x1f\x8bgarbage", 9);
    assert_bad_images(file, "damaged");
}
END_TEST

static hid_t open_result(void) {
    hid_t file = H5Fopen("dest.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert(file >= 0);
    return file;
}

static void assert_dataset(const char *name, hid_t type, int rank, const hsize_t *dimensions, const void *values,
                           size_t size) {
    hid_t file = open_result(), data = H5Dopen2(file, name, H5P_DEFAULT);
    ck_assert(data >= 0);
    hid_t space = H5Dget_space(data), stored = H5Dget_type(data), properties = H5Dget_create_plist(data);
    hsize_t found[4];
    ck_assert_int_eq(H5Sget_simple_extent_ndims(space), rank);
    H5Sget_simple_extent_dims(space, found, NULL);
    for (int i = 0; i < rank; i++) ck_assert_uint_eq(found[i], dimensions[i]);
    ck_assert_msg(H5Tequal(stored, type) > 0, "%s has another type", name);
    ck_assert_int_eq(H5Pget_layout(properties), H5D_CONTIGUOUS);
    char *read = calloc(1, size);
    ck_assert_ptr_nonnull(read);
    ck_assert(H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, read) >= 0);
    ck_assert_msg(memcmp(read, values, size) == 0, "%s has other values", name);
    free(read);
    H5Pclose(properties);
    H5Tclose(stored);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(file);
}

/* Flips every bit. Some say nothing about the content (the time in the gzip header); then the content is right. */
START_TEST(no_flipped_bit_of_a_gzip_file_changes_the_data) {
    bytes whole = gzipped(images()), good = images();
    size_t refused = 0;
    put("labels", labels());
    for (size_t i = 0; i < 8 * whole.count; i++) {
        bytes flipped = whole;
        flipped.at[i / 8] ^= (unsigned char)(1 << i % 8);
        put("images", flipped);
        dt_status status = import("images", "labels");
        if (status.code == DT_OK)
            assert_dataset("/train/x", H5T_NATIVE_UINT8, 3, (hsize_t[]){3, 2, 2}, good.at + 16, 12);
        else
            refused++;
    }
    ck_assert_uint_ge(refused, 8 * (whole.count - 10));
}
END_TEST

START_TEST(files_that_do_not_fit_are_refused) {
    put_destination();
    put("images", images());
    put("four", idx_of(1, (uint32_t[]){4}));
    put("flat", idx_of(2, (uint32_t[]){3, 1}));
    put("wide", idx_of(3, (uint32_t[]){3, 2, 3}));
    put("labels", labels());
    assert_failed(import("images", "four"), DT_ERR_INPUT, "four", "has 4 labels");
    assert_failed(import("images", "flat"), DT_ERR_INPUT, "flat", "one dimension");
    assert_failed(import("labels", "images"), DT_ERR_INPUT, "images", "IMAGES LABELS?");
    assert_failed(import_idx(4, (const char *const[]){"images", "labels", "wide", "labels"}, "dest.h5"), DT_ERR_INPUT,
                  "wide", "[3, 2, 3]");
    assert_failed(import_idx(4, (const char *const[]){"images", "labels", "images", "four"}, "dest.h5"), DT_ERR_INPUT,
                  "four", "has 4 labels");
}
END_TEST

START_TEST(missing_files_and_directories_are_named) {
    put_destination();
    put("images", images());
    put("labels", labels());
    mkdir("folder", 0755);
    assert_failed(import("images", "nowhere"), DT_ERR_IO, "nowhere", "No such file");
    assert_failed(import("folder", "labels"), DT_ERR_INPUT, "folder", "is a directory");
    dt_status status = import_idx(2, (const char *const[]){"images", "labels"}, "folder");
    assert_failed(status, DT_ERR_USAGE, "folder", "is a directory");
    status = import_idx(2, (const char *const[]){"images", "labels"}, "nowhere/dest.h5");
    ck_assert_int_ne(status.code, DT_OK);
    ck_assert_ptr_nonnull(strstr(status.message, "nowhere/dest.h5"));
    ck_assert_int_eq(files_in(".", false), 4);
}
END_TEST

START_TEST(a_destination_that_is_no_file_is_left_alone) {
    static const char *const others[] = {"link", "pipe", "/dev/null"};
    struct stat before, after;
    put_destination();
    put("images", images());
    put("labels", labels());
    ck_assert(symlink("dest.h5", "link") == 0 && mkfifo("pipe", 0600) == 0);
    for (int i = 0; i < COUNT(others); i++) {
        ck_assert_int_eq(lstat(others[i], &before), 0);
        dt_status status = import_idx(2, (const char *const[]){"images", "labels"}, others[i]);
        assert_failed(status, DT_ERR_USAGE, others[i], "the destination is a file");
        ck_assert_int_eq(lstat(others[i], &after), 0);
        ck_assert_uint_eq(before.st_mode, after.st_mode);
    }
}
END_TEST

/* An import that waits, in the middle of what it writes, for more of `images`, a pipe; *feed is the pipe's other end.
 */
static pid_t start_waiting_import(int *feed) {
    bytes head = images();
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    pid_t child = fork();
    if (child == 0) _exit(import_idx(2, (const char *const[]){"pipe", "labels"}, "dest.h5").code == DT_OK ? 0 : 1);
    *feed = open("pipe", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(write(*feed, head.at, 16), 16); /* the header alone */
    for (int i = 0; i < 3000 && files_in(".", false) < 4; i++) usleep(10000);
    ck_assert_int_eq(files_in(".", false), 4); /* images, labels, the pipe, and what it writes */
    return child;
}

START_TEST(the_next_import_removes_what_a_killed_one_left_and_not_what_one_writes) {
    int feed;
    put("images", images());
    put("labels", labels());
    pid_t child = start_waiting_import(&feed);
    ck_assert_int_eq(import("images", "labels").code, DT_OK);
    ck_assert_int_eq(files_in(".", false), 5);
    ck_assert(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    close(feed);
    ck_assert_int_eq(import("images", "labels").code, DT_OK);
    ck_assert_int_eq(files_in(".", false), 4);
}
END_TEST

START_TEST(a_source_is_never_overwritten) {
    put("images", images());
    put("labels", labels());
    ck_assert_int_eq(import_idx(2, (const char *const[]){"images", "labels"}, "./labels").code, DT_ERR_USAGE);
    ck_assert_int_eq(import_idx(1, (const char *const[]){"images"}, "labels").code, DT_ERR_USAGE);
    ck_assert_int_eq(import_idx(3, (const char *const[]){"images", "labels", "images"}, "dest.h5").code, DT_ERR_USAGE);
    put_destination();
    assert_failed(import("nowhere", "labels"), DT_ERR_IO, "nowhere", ""); /* labels are still what they were … */
    put("images", images());
    ck_assert_int_eq(import("images", "labels").code, DT_OK); /* … and good */
}
END_TEST

/* A file size limit fails like a full disk does: in the middle of a write. */
START_TEST(a_full_disk_leaves_the_destination_as_it_was) {
    put("images", images());
    put("labels", labels());
    put_destination();
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    for (rlim_t most = 0; most <= 2048; most += 512) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){most, limit.rlim_max}); /* for Check's own file too: assert later */
        dt_status status = import("images", "labels");
        setrlimit(RLIMIT_FSIZE, &limit);
        assert_failed(status, DT_ERR_IO, "dest.h5", "");
        ck_assert_int_eq(files_in(".", false), 3);
    }
}
END_TEST

static const struct {
    unsigned char code;
    int size;
    bool real, sign;
} kinds[] = {{0x08, 1, false, false}, {0x09, 1, false, true}, {0x0B, 2, false, true},
             {0x0C, 4, false, true},  {0x0D, 4, true, true},  {0x0E, 8, true, true}};

static hid_t kind_type(int kind) {
    hid_t types[] = {H5T_NATIVE_UINT8, H5T_NATIVE_INT8,  H5T_NATIVE_INT16,
                     H5T_NATIVE_INT32, H5T_NATIVE_FLOAT, H5T_NATIVE_DOUBLE};
    return types[kind];
}

/* One big-endian value at the end of `file`, the native one at values[i]. */
static void add_value(bytes *file, unsigned char *values, int kind, int i) {
    double number = kinds[kind].real ? i * 0.37 - 3 : kinds[kind].sign ? 5 - i : 7 * i;
    float narrow = (float)number;
    int64_t whole = (int64_t)number;
    int size = kinds[kind].size;
    const void *native = !kinds[kind].real ? (const void *)&whole : size == 4 ? (const void *)&narrow : &number;
    memcpy(values + (ptrdiff_t)i * size, native, (size_t)size); /* little-endian integers: the low bytes come first */
    for (int b = size - 1; b >= 0; b--) add(file, values + (ptrdiff_t)i * size + b, 1);
}

START_TEST(every_number_type_and_rank_is_imported) {
    static const uint32_t dimensions[] = {3, 2, 5, 2};
    hsize_t expected[4] = {3, 2, 5, 2};
    unsigned char values[60 * 8];
    for (int rank = 1; rank <= 4; rank++) {
        bytes file = idx_header(kinds[_i].code, rank, dimensions);
        int count = 1;
        for (int i = 0; i < rank; i++) count *= (int)dimensions[i];
        for (int i = 0; i < count; i++) add_value(&file, values, _i, i);
        bytes target = idx_header(kinds[_i].code, 1, dimensions);
        target.count += 3 * (size_t)kinds[_i].size;
        memcpy(target.at + 8, file.at + 4 + 4 * (size_t)rank, 3 * (size_t)kinds[_i].size);
        put("images", rank % 2 ? file : gzipped(file));
        put("labels", rank > 2 ? target : gzipped(target));
        dt_status status = import("images", "labels");
        ck_assert_msg(status.code == DT_OK, "%s", status.message);
        assert_dataset("/train/x", kind_type(_i), rank, expected, values, (size_t)count * (size_t)kinds[_i].size);
        assert_dataset("/train/y", kind_type(_i), 1, expected, values, 3 * (size_t)kinds[_i].size);
    }
}
END_TEST

START_TEST(both_splits_are_imported_and_the_file_says_what_it_is) {
    put_destination(); /* which is replaced */
    put("images", images());
    put("labels.gz", gzipped(labels()));
    put("t-images", idx_of(3, (uint32_t[]){5, 2, 2}));
    put("t-labels", idx_of(1, (uint32_t[]){5}));
    dt_status status = import_idx(4, (const char *const[]){"./images", "labels.gz", "t-images", "t-labels"}, "dest.h5");
    ck_assert_msg(status.code == DT_OK, "%s", status.message);
    ck_assert_int_eq(files_in(".", false), 5);
    unsigned char counting[20];
    for (int i = 0; i < 20; i++) counting[i] = (unsigned char)(i + 1);
    assert_dataset("/train/x", H5T_NATIVE_UINT8, 3, (hsize_t[]){3, 2, 2}, counting, 12);
    assert_dataset("/train/y", H5T_NATIVE_UINT8, 1, (hsize_t[]){3}, counting, 3);
    assert_dataset("/test/x", H5T_NATIVE_UINT8, 3, (hsize_t[]){5, 2, 2}, counting, 20);
    assert_dataset("/test/y", H5T_NATIVE_UINT8, 1, (hsize_t[]){5}, counting, 5);
    hid_t file = open_result();
    static const char *const attributes[] = {"format", "version", "sources"};
    for (int i = 0; i < COUNT(attributes); i++) ck_assert_int_gt(H5Aexists(file, attributes[i]), 0);
    H5Fclose(file);
}
END_TEST

START_TEST(gzip_files_may_be_concatenated) {
    bytes whole = images(), half = whole, packed;
    half.count = 20;
    packed = gzipped(half);
    half.count = whole.count - 20;
    memmove(half.at, whole.at + 20, half.count);
    half = gzipped(half);
    add(&packed, half.at, half.count);
    put("images", packed);
    put("labels", labels());
    dt_status status = import("images", "labels");
    ck_assert_msg(status.code == DT_OK, "%s", status.message);
    assert_dataset("/train/x", H5T_NATIVE_UINT8, 3, (hsize_t[]){3, 2, 2}, whole.at + 16, 12);
}
END_TEST

/* More than one block of the importer, and blocks that do not divide the rows. */
START_TEST(large_files_are_imported_whole) {
    enum { ROWS = 14000, ROW = 28 * 28, BYTES = ROWS * ROW };
    unsigned char *values = malloc(BYTES);
    ck_assert_ptr_nonnull(values);
    uint32_t state = 1;
    for (int i = 0; i < BYTES; i++) values[i] = (unsigned char)((state = state * 1664525U + 1013904223U) >> 24);
    bytes header = idx_header(0x08, 3, (uint32_t[]){ROWS, 28, 28});
    gzFile out = gzopen("images", "wb1");
    ck_assert_int_eq(gzwrite(out, header.at, (unsigned)header.count), (int)header.count);
    ck_assert_int_eq(gzwrite(out, values, BYTES), BYTES);
    ck_assert_int_eq(gzclose(out), Z_OK);
    header = idx_header(0x08, 1, (uint32_t[]){ROWS});
    FILE *plain = fopen("labels", "wb");
    ck_assert(fwrite(header.at, 1, header.count, plain) == header.count && fwrite(values, 1, ROWS, plain) == ROWS);
    ck_assert_int_eq(fclose(plain), 0);
    dt_status status = import("images", "labels");
    ck_assert_msg(status.code == DT_OK, "%s", status.message);
    assert_dataset("/train/x", H5T_NATIVE_UINT8, 3, (hsize_t[]){ROWS, 28, 28}, values, BYTES);
    assert_dataset("/train/y", H5T_NATIVE_UINT8, 1, (hsize_t[]){ROWS}, values, ROWS);
    free(values);
}
END_TEST

START_TEST(the_table_of_importers_ends_and_its_rows_are_full) {
    int count = 0;
    for (const dt_importer *const *each = dt_importers; *each; each++, count++) {
        const dt_importer *i = *each;
        ck_assert(i->name && i->usage && i->help && i->options && i->run && dt_importer_find(i->name) == i);
        ck_assert(i->help[strlen(i->help) - 1] == '\n' && !strchr(i->usage, '\n'));
        for (const dt_field *f = i->options; f->key; f++) ck_assert(f->help && f->offset < i->options_size);
    }
    ck_assert_int_ge(count, 2);
    ck_assert(!dt_importer_find("tar"));
}
END_TEST

static TCase *sampler_tests(void) {
    TCase *tests = tcase_create("sampler");
    tcase_add_test(tests, by_blocks_every_sample_comes_once_in_the_window_of_its_block);
    tcase_add_test(tests, by_blocks_the_first_sample_is_any_sample);
    tcase_add_test(tests, by_blocks_epochs_and_seeds_differ_and_a_huge_set_costs_nothing);
    tcase_add_test(tests, by_blocks_the_order_is_the_one_runs_began_with);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, every_sample_of_small_sets_comes_exactly_once);
    tcase_add_test(tests, every_sample_of_large_sets_comes_exactly_once);
    tcase_add_test(tests, samples_of_huge_sets_are_inside_and_different);
    tcase_add_test(tests, the_order_is_the_published_one);
    tcase_add_test(tests, without_shuffling_the_order_is_the_files);
    tcase_add_test(tests, epochs_and_seeds_have_orders_of_their_own);
    tcase_add_loop_test(tests, orders_are_uniform, 0, 5);
    tcase_add_test(tests, all_orders_of_a_few_samples_are_equally_likely);
    tcase_add_test(tests, shards_divide_every_batch);
    tcase_add_test(tests, draws_depend_on_seed_epoch_and_sample_alone);
    tcase_add_test(tests, every_offset_occurs_as_often_and_half_are_mirrored);
    tcase_add_test(tests, an_augmented_picture_is_the_moved_and_mirrored_one);
    tcase_add_test(tests, a_picture_that_stays_where_it_is_has_the_bits_of_one_that_is_not_augmented);
    tcase_add_test(tests, what_is_no_picture_is_not_augmented);
    return tests;
}

static TCase *import_tests(void) {
    TCase *tests = tcase_create("import idx");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, enter_directory, leave_directory);
    tcase_add_test(tests, a_bad_header_is_refused);
    tcase_add_test(tests, an_empty_file_is_refused);
    tcase_add_test(tests, every_other_length_is_refused);
    tcase_add_test(tests, a_header_that_promises_the_moon_reserves_no_space);
    tcase_add_test(tests, every_cut_of_a_gzip_file_is_noticed);
    tcase_add_test(tests, what_follows_gzip_data_is_refused);
    tcase_add_test(tests, no_flipped_bit_of_a_gzip_file_changes_the_data);
    tcase_add_test(tests, files_that_do_not_fit_are_refused);
    tcase_add_test(tests, missing_files_and_directories_are_named);
    tcase_add_test(tests, a_destination_that_is_no_file_is_left_alone);
    tcase_add_test(tests, the_next_import_removes_what_a_killed_one_left_and_not_what_one_writes);
    tcase_add_test(tests, a_source_is_never_overwritten);
    tcase_add_test(tests, a_full_disk_leaves_the_destination_as_it_was);
    tcase_add_loop_test(tests, every_number_type_and_rank_is_imported, 0, COUNT(kinds));
    tcase_add_test(tests, both_splits_are_imported_and_the_file_says_what_it_is);
    tcase_add_test(tests, gzip_files_may_be_concatenated);
    tcase_add_test(tests, large_files_are_imported_whole);
    tcase_add_test(tests, the_table_of_importers_ends_and_its_rows_are_full);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("data");
    suite_add_tcase(suite, sampler_tests());
    suite_add_tcase(suite, import_tests());
    return run_suite(suite);
}
