/* Products give the bits of the written order (support/chain.h), on every instruction set this machine has, for every
 * arrangement of the operands and every edge of the tiles, and a row's do not depend on the rows beside it. Arrays are
 * exactly as large as they have to be, so that the sanitizer sees what is read or written beyond. */
#include <math.h>
#include <string.h>

#include "chain.h"
#include "compute/compute.h"
#include "isa.h"
#include "reference.h"
#include "suite.h"

static const dt_isa isas[] = {DT_ISA_BASELINE, DT_ISA_AVX2, DT_ISA_AVX512};

static const dt_kernels *open_kernels(int i) {
    const dt_kernels *kernels;
    if (!dt_kernels_for(isas[i])) return NULL;
    assert_ok(dt_compute_open(&kernels, isas[i], 1)); /* flushes denormals, as a run does */
    return kernels;
}

static float *floats(int64_t n, uint64_t seed) {
    float *x = malloc((size_t)(n > 0 ? n : 1) * sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)ref_uniform(seed, (uint64_t)i);
    return x;
}

/* Numbers of all sizes, infinities and NaN among them. */
static float *wild(int64_t n, uint64_t seed) {
    float *x = floats(n, seed);
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)((ref_uniform(seed, (uint64_t)i) + 1) * 0x1p31);
        memcpy(&x[i], &bits, sizeof bits);
    }
    return x;
}

static int64_t extent(int64_t lines, int64_t width, int64_t distance) {
    return lines > 0 && width > 0 ? (lines - 1) * distance + width : 0;
}

typedef struct arrangement {
    int64_t rows, cols, depth;
    int64_t apart; /* so much further than they must are the rows of each array */
    bool a_turned, b_turned, add, biased, relu, wild;
} arrangement;

/* The product in arrays of exactly its size; c is whatever was there. */
typedef struct product_case {
    dt_matrix_product p;
    float *a, *b, *bias, *before;
    int64_t c_size;
} product_case;

static product_case make(const arrangement *w) {
    dt_matrix_product p = {.rows = w->rows,
                           .cols = w->cols,
                           .depth = w->depth,
                           .a_turned = w->a_turned,
                           .b_turned = w->b_turned,
                           .add = w->add,
                           .relu = w->relu};
    p.lda = (w->a_turned ? w->rows : w->depth) + w->apart;
    p.ldb = (w->b_turned ? w->depth : w->cols) + 2 * w->apart;
    p.ldc = w->cols + 3 * w->apart;
    float *(*numbers)(int64_t, uint64_t) = w->wild ? wild : floats;
    product_case c = {
        .a = numbers(w->a_turned ? extent(w->depth, w->rows, p.lda) : extent(w->rows, w->depth, p.lda), 1),
        .b = numbers(w->b_turned ? extent(w->cols, w->depth, p.ldb) : extent(w->depth, w->cols, p.ldb), 2),
        .bias = w->biased ? floats(w->cols, 3) : NULL,
        .c_size = extent(w->rows, w->cols, p.ldc)};
    c.before = floats(c.c_size, 4);
    if (!w->add && c.c_size > 0) c.before[0] = NAN; /* what was there must not matter */
    p.a = c.a, p.b = c.b, p.bias = c.bias;
    p.c = floats(c.c_size, 4);
    memcpy(p.c, c.before, (size_t)c.c_size * sizeof *p.c);
    c.p = p;
    return c;
}

static void drop(product_case *c) {
    free(c->a), free(c->b), free(c->bias), free(c->before), free(c->p.c);
}

static float wanted(const product_case *c, int64_t i, int64_t j) {
    const dt_matrix_product *p = &c->p;
    float sum = chain_sum(c->a + (p->a_turned ? i : i * p->lda), p->a_turned ? p->lda : 1,
                          c->b + (p->b_turned ? j * p->ldb : j), p->b_turned ? 1 : p->ldb, p->depth, p->add,
                          c->before[i * p->ldc + j]);
    if (c->bias) sum += c->bias[j];
    return p->relu && sum < 0 ? 0 : sum;
}

/* Which NaN it is, is no instruction set's promise. */
static bool same(float x, float y) {
    return memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y));
}

static void check(const dt_kernels *kernels, const arrangement *w) {
    product_case c = make(w);
    kernels->product(&c.p);
    for (int64_t at = 0; at < c.c_size; at++) {
        int64_t i = at / c.p.ldc, j = at % c.p.ldc;
        float want = j < w->cols ? wanted(&c, i, j) : c.before[at];
        ck_assert_msg(same(c.p.c[at], want),
                      "%s: [%d, %d] of %d x %d x %d, turned %d %d, add %d, bias %d, relu %d, apart %d: %a, not %a",
                      dt_isa_name(kernels->isa), (int)i, (int)j, (int)w->rows, (int)w->cols, (int)w->depth, w->a_turned,
                      w->b_turned, w->add, w->biased, w->relu, (int)w->apart, (double)c.p.c[at], (double)want);
    }
    drop(&c);
}

START_TEST(every_edge_of_the_tiles_has_the_written_order) {
    static const int64_t cols[] = {1, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 130};
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int64_t rows = 1; rows <= 31; rows++)
        for (int c = 0; c < COUNT(cols); c++)
            for (int turned = 0; turned < 4; turned++)
                check(kernels, &(arrangement){.rows = rows,
                                              .cols = cols[c],
                                              .depth = 1 + (rows + c) % 19,
                                              .a_turned = turned & 1,
                                              .b_turned = turned & 2});
}
END_TEST

START_TEST(every_arrangement_has_the_written_order) {
    static const int64_t depths[] = {0, 1, 16, 21, 383, 384, 385, 500, 767, 768, 769, 1200};
    static const int64_t rows[] = {1, 5, 14, 61}, cols[] = {3, 32, 49};
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int d = 0; d < COUNT(depths); d++)
        for (int r = 0; r < COUNT(rows); r++)
            for (int variant = 0; variant < 32; variant++)
                check(kernels, &(arrangement){.rows = rows[r],
                                              .cols = cols[(d + r + variant) % COUNT(cols)],
                                              .depth = depths[d],
                                              .apart = (d + variant) % 3,
                                              .a_turned = variant & 1,
                                              .b_turned = variant & 2,
                                              .add = variant & 4,
                                              .biased = variant & 8,
                                              .relu = variant & 16});
}
END_TEST

START_TEST(panels_that_are_kept_have_the_written_order) {
    static const int64_t rows[] = {105, 261}, cols[] = {301, 261};
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int variant = 0; variant < 8; variant++)
        check(kernels, &(arrangement){.rows = rows[variant & 1],
                                      .cols = cols[variant >> 2],
                                      .depth = variant & 2 ? 37 : 401,
                                      .apart = variant % 3,
                                      .a_turned = variant == 1,
                                      .b_turned = variant == 3,
                                      .add = variant == 2 || variant == 5,
                                      .biased = variant & 4,
                                      .relu = variant == 7});
}
END_TEST

/* Tiles that ask for the next panel beside their chains; a transposed A that is packed, because its rows lie a page
 * apart, and one that passes by once, because it is long. */
START_TEST(long_products_have_the_written_order) {
    static const arrangement long_ones[] = {
        {.rows = 64, .cols = 301, .depth = 401, .add = true},
        {.rows = 64, .cols = 301, .depth = 401, .a_turned = true},
        {.rows = 1024, .cols = 131, .depth = 20, .a_turned = true, .biased = true},
        {.rows = 4099, .cols = 131, .depth = 33, .a_turned = true, .relu = true},
    };
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int i = 0; i < COUNT(long_ones); i++) check(kernels, &long_ones[i]);
}
END_TEST

START_TEST(numbers_of_all_sizes_are_rounded_once) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int64_t depth = 1; depth < 5; depth++)
        for (int variant = 0; variant < 8; variant++)
            check(kernels, &(arrangement){.rows = 60,
                                          .cols = 203,
                                          .depth = depth,
                                          .a_turned = variant & 1,
                                          .b_turned = variant & 2,
                                          .relu = variant & 4,
                                          .wild = true});
}
END_TEST

START_TEST(a_row_is_the_same_alone_first_and_last) {
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int variant = 0; variant < 4; variant++) {
        product_case c = make(&(arrangement){
            .rows = 47, .cols = 75, .depth = 401, .a_turned = variant & 1, .b_turned = variant & 2, .biased = true});
        kernels->product(&c.p);
        float *alone = floats(c.p.cols * c.p.rows, 5);
        for (int64_t first = 0; first < c.p.rows; first += 1 + first % 5)
            for (int64_t count = 1; first + count <= c.p.rows; count += 13) {
                dt_matrix_product some = c.p;
                some.rows = count, some.a = c.a + (c.p.a_turned ? first : first * c.p.lda), some.c = alone;
                kernels->product(&some);
                ck_assert_msg(memcmp(alone, c.p.c + first * c.p.ldc, (size_t)(count * c.p.cols) * sizeof *alone) == 0,
                              "%d rows from row %d on", (int)count, (int)first);
            }
        free(alone);
        drop(&c);
    }
}
END_TEST

/* ---- bfloat16 ---- */

static dt_bf16 *halves(float *x, int64_t n) {
    dt_bf16 *y = malloc((size_t)(n > 0 ? n : 1) * sizeof *y);
    ck_assert_ptr_nonnull(y);
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        y[i] = (dt_bf16)(bits >> 16);
        bits &= 0xffff0000U;
        memcpy(&x[i], &bits, sizeof bits);
    }
    return y;
}

static void check_bf16(const dt_kernels *kernels, const arrangement *w) {
    product_case c = make(w);
    const dt_matrix_product *p = &c.p;
    int64_t a_size = w->a_turned ? extent(w->depth, w->rows, p->lda) : extent(w->rows, w->depth, p->lda);
    int64_t b_size = w->b_turned ? extent(w->cols, w->depth, p->ldb) : extent(w->depth, w->cols, p->ldb);
    dt_bf16 *a = halves(c.a, a_size), *b = halves(c.b, b_size);
    float *y = floats(c.c_size, 4);
    memcpy(y, c.before, (size_t)c.c_size * sizeof *y);
    kernels->product(p);
    kernels->product_bf16(&(dt_matrix_product_bf16){.rows = p->rows,
                                                    .cols = p->cols,
                                                    .depth = p->depth,
                                                    .a = a,
                                                    .b = b,
                                                    .c = y,
                                                    .lda = p->lda,
                                                    .ldb = p->ldb,
                                                    .ldc = p->ldc,
                                                    .a_turned = p->a_turned,
                                                    .b_turned = p->b_turned,
                                                    .add = p->add});
    for (int64_t at = 0; at < c.c_size; at++)
        ck_assert_msg(same(y[at], p->c[at]), "%s: [%d, %d] of %d x %d x %d, turned %d %d, add %d, apart %d: %a, not %a",
                      dt_isa_name(kernels->isa), (int)(at / p->ldc), (int)(at % p->ldc), (int)w->rows, (int)w->cols,
                      (int)w->depth, w->a_turned, w->b_turned, w->add, (int)w->apart, (double)y[at], (double)p->c[at]);
    free(a), free(b), free(y);
    drop(&c);
}

START_TEST(products_of_bf16_are_those_of_the_same_numbers_in_float32) {
    static const int64_t depths[] = {0, 1, 2, 31, 32, 33, 47, 383, 384, 385, 386, 769, 1153};
    static const int64_t rows[] = {1, 2, 6, 7, 17, 65, 300}, cols[] = {1, 3, 16, 17, 64, 65, 80, 130};
    const dt_kernels *kernels = open_kernels(_i);
    if (!kernels) return;
    for (int d = 0; d < COUNT(depths); d++)
        for (int r = 0; r < COUNT(rows); r++)
            for (int variant = 0; variant < 16; variant++) {
                if (rows[r] > 100 && (depths[d] != 386 || variant > 3)) continue;
                check_bf16(kernels, &(arrangement){.rows = rows[r],
                                                   .cols = cols[(d + r + variant) % COUNT(cols)],
                                                   .depth = depths[d],
                                                   .apart = (d + variant) % 3,
                                                   .a_turned = variant & 1,
                                                   .b_turned = variant & 2,
                                                   .add = variant & 4,
                                                   .wild = variant & 8});
            }
}
END_TEST

START_TEST(threads_change_no_bit) {
    static const int64_t shapes[][3] = {{200, 180, 40}, {90, 500, 30}, {1, 3000, 400}, {431, 7, 390}};
    if (!dt_kernels_for(isas[_i])) return;
    for (int threads = 2; threads <= 5; threads++)
        for (int s = 0; s < COUNT(shapes); s++) {
            const dt_kernels *kernels;
            assert_ok(dt_compute_open(&kernels, isas[_i], threads));
            check(kernels, &(arrangement){.rows = shapes[s][0],
                                          .cols = shapes[s][1],
                                          .depth = shapes[s][2],
                                          .apart = 1,
                                          .a_turned = threads & 1,
                                          .b_turned = threads & 2,
                                          .biased = true,
                                          .add = s % 2});
            check_bf16(kernels, &(arrangement){.rows = shapes[s][0],
                                               .cols = shapes[s][1],
                                               .depth = shapes[s][2],
                                               .apart = 1,
                                               .a_turned = threads & 1,
                                               .b_turned = threads & 2,
                                               .add = s % 2});
        }
}
END_TEST

int main(void) {
    say_what_is_missing();
    Suite *suite = suite_create("products");
    TCase *group = tcase_create("every instruction set");
    tcase_set_timeout(group, 120);
    tcase_add_loop_test(group, every_edge_of_the_tiles_has_the_written_order, 0, COUNT(isas));
    tcase_add_loop_test(group, every_arrangement_has_the_written_order, 0, COUNT(isas));
    tcase_add_loop_test(group, products_of_bf16_are_those_of_the_same_numbers_in_float32, 0, COUNT(isas));
    tcase_add_loop_test(group, panels_that_are_kept_have_the_written_order, 0, COUNT(isas));
    tcase_add_loop_test(group, long_products_have_the_written_order, 0, COUNT(isas));
    tcase_add_loop_test(group, numbers_of_all_sizes_are_rounded_once, 0, COUNT(isas));
    tcase_add_loop_test(group, a_row_is_the_same_alone_first_and_last, 0, COUNT(isas));
    tcase_add_loop_test(group, threads_change_no_bit, 0, COUNT(isas));
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
