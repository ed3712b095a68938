/* What VDPBF16PS does, asked of the processor the test runs on: two float32 fused multiply-adds that flush subnormal
 * numbers, of the members in the upper halves first, whatever the control register says. Products of bfloat16 are the
 * same bits on processors with and without it because of this. Where there is none of it there is nothing to ask. */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "suite.h"

#ifdef __x86_64__
#    include <immintrin.h>

#    define ON_AVX512_BF16 __attribute__((target("avx512f,avx512bf16,fma")))
#    define FLUSH 0x8040U /* FTZ and DAZ */
#    define NEAREST 0x1f80U

enum { LANES = 16 };

typedef struct operands {
    _Alignas(64) uint32_t a[LANES], b[LANES], c[LANES];
} operands;

ON_AVX512_BF16 static __m512 upper(__m512i pairs) {
    return (__m512)_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000U));
}

ON_AVX512_BF16 static __m512 lower(__m512i pairs) {
    return (__m512)_mm512_slli_epi32(pairs, 16);
}

ON_AVX512_BF16 static void expect_two_fma(const operands *x, unsigned control) {
    __m512i a = _mm512_load_si512(x->a), b = _mm512_load_si512(x->b);
    __m512 c = _mm512_load_ps(x->c);
    _mm_setcsr(NEAREST | control);
    volatile __m512 got = _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
    _mm_setcsr(NEAREST | FLUSH);
    volatile __m512 first = _mm512_fmadd_ps(upper(a), upper(b), c);
    __m512 want = _mm512_fmadd_ps(lower(a), lower(b), first), is = got;
    _mm_setcsr(NEAREST);
    __mmask16 unlike = _mm512_cmpneq_epi32_mask((__m512i)is, (__m512i)want);
    unlike &= (__mmask16) ~(_mm512_cmp_ps_mask(is, is, _CMP_UNORD_Q) & _mm512_cmp_ps_mask(want, want, _CMP_UNORD_Q));
    if (!unlike) return;
    int i = __builtin_ctz(unlike);
    uint32_t bits[2][LANES];
    memcpy(bits[0], (const void *)&is, sizeof bits[0]);
    memcpy(bits[1], (const void *)&want, sizeof bits[1]);
    ck_abort_msg("%08x + %08x . %08x is %08x, not %08x (control %04x)", x->c[i], x->a[i], x->b[i], bits[0][i],
                 bits[1][i], control);
}

static uint64_t state;

static uint64_t word(void) { /* splitmix64 */
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- the edges of the format ---- */

static const uint16_t edges[] = {0x0000, 0x8000, 0x0001, 0x807f, 0x0080, 0x8081, 0x1f80, 0x2080, 0x1fff, 0x3f80,
                                 0xbf81, 0x3fff, 0x3300, 0x7f7f, 0xff00, 0x7f80, 0xff80, 0x7f81, 0x5f80, 0xdf7f};
static const uint32_t sums[] = {0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x80800001,
                                0x3f800000, 0xbf800001, 0x33800001, 0xb4000000, 0x7f7fffff, 0xff7fffff,
                                0x7f800000, 0xff800000, 0x7fc00000, 0x4b800001};

START_TEST(it_is_two_fused_multiply_adds_at_the_edges_of_the_format) {
    operands x;
    int lane = 0;
    for (int i = 0; i < COUNT(edges); i++)
        for (int j = 0; j < COUNT(edges); j++)
            for (int k = 0; k < COUNT(edges); k++)
                for (int l = 0; l < COUNT(edges); l++)
                    for (int s = 0; s < COUNT(sums); s++) {
                        x.a[lane] = (uint32_t)edges[i] << 16 | edges[k];
                        x.b[lane] = (uint32_t)edges[j] << 16 | edges[l];
                        x.c[lane] = sums[s];
                        lane = (lane + 1) % LANES;
                        if (lane == 0) expect_two_fma(&x, _i ? FLUSH : 0);
                    }
}
END_TEST

/* ---- random numbers ---- */

static uint32_t with_exponents(uint32_t bits, int upper, int lower) {
    return (bits & 0x807f807fU) | ((uint32_t)upper & 255) << 23 | ((uint32_t)lower & 255) << 7;
}

static int within(int exponent) {
    return exponent < 0 ? 0 : exponent > 255 ? 255 : exponent;
}

/* Both products and the sum before are within some binades of each other, from `least` on. */
static void near_each_other(operands *x, int i, int least) {
    uint64_t r = word();
    int a = least + (int)(r % 100), b = least + (int)((r >> 8) % 100), c = 64 + (int)((r >> 16) % 128);
    int d = a + b - c + (int)((r >> 24) % 7) - 3, sum = a + b - 127 + (int)((r >> 28) % 40) - 20;
    x->a[i] = with_exponents(x->a[i], a, c);
    x->b[i] = with_exponents(x->b[i], b, within(d));
    x->c[i] = (x->c[i] & 0x807fffffU) | (uint32_t)within(sum) << 23;
}

/* The first product takes all but its last bits away from the sum, which is about as small as numbers are. */
static void cancelling(operands *x, int i) {
    uint64_t r = word();
    int both = 120 + (int)(r % 20), a = 10 + (int)((r >> 8) % 90), c = 10 + (int)((r >> 16) % 90);
    x->a[i] = with_exponents(x->a[i], a, c);
    x->b[i] = with_exponents(x->b[i], both - a, 120 + (int)((r >> 24) % 20) - c);
    uint32_t left = x->a[i] & 0xffff0000U, right = x->b[i] & 0xffff0000U;
    float l, m;
    memcpy(&l, &left, sizeof l);
    memcpy(&m, &right, sizeof m);
    float negative = -l * m;
    memcpy(&x->c[i], &negative, sizeof negative);
    if (r >> 40 & 1) x->c[i] ^= (uint32_t)(r >> 41 & 7);
}

START_TEST(it_is_two_fused_multiply_adds_of_random_numbers) {
    state = (uint64_t)_i + 1;
    for (int round = 0; round < 200000; round++) {
        operands x;
        for (int i = 0; i < LANES; i++) {
            x.a[i] = (uint32_t)word(), x.b[i] = (uint32_t)word(), x.c[i] = (uint32_t)word();
            if (round % 4 == 1) near_each_other(&x, i, 64);
            if (round % 4 == 2) near_each_other(&x, i, 1);
            if (round % 4 == 3) cancelling(&x, i);
        }
        expect_two_fma(&x, _i ? FLUSH : 0);
    }
}
END_TEST

static bool there_is_one(void) {
    return __builtin_cpu_supports("avx512bf16");
}

#else

static bool there_is_one(void) {
    return false;
}

#endif

int main(void) {
    if (!there_is_one()) return not_here("this processor has no AVX512-BF16 to ask");
#ifdef __x86_64__
    Suite *suite = suite_create("pairs");
    TCase *group = tcase_create("pairs");
    tcase_add_loop_test(group, it_is_two_fused_multiply_adds_at_the_edges_of_the_format, 0, 2);
    tcase_add_loop_test(group, it_is_two_fused_multiply_adds_of_random_numbers, 0, 2);
    suite_add_tcase(suite, group);
    return run_suite(suite);
#else
    return 0;
#endif
}
