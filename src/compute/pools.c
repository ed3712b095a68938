/* Pools: the largest or the mean of each window of a picture. */
#include "slots.h"
#include "vector.h"

/* The part of one output pixel's window that is inside the picture: `n` of the window's pixels down and across, from
 * `first` on, and the picture's pixel there. */
typedef struct visible {
    int64_t first[2], n[2], pixel;
} visible;

static inline visible visible_at(const dt_window *window, int64_t i, int64_t j) {
    visible v;
    int64_t at[2] = {i * window->stride[0] - window->before[0], j * window->stride[1] - window->before[1]};
    for (int d = 0; d < 2; d++) {
        int64_t end = window->in[d] - at[d];
        if (end > window->kernel[d]) end = window->kernel[d];
        v.first[d] = at[d] < 0 ? -at[d] : 0;
        v.n[d] = end - v.first[d];
        at[d] += v.first[d];
    }
    v.pixel = at[0] * window->in[1] + at[1];
    return v;
}

/* Runs `body` for every output pixel of every row, with its window `v`, the pictures `in` and the output pixel's place
 * `out`, both in elements. */
#define FOR_WINDOWS(body)                                                                                              \
    for (int64_t row_ = 0; row_ < rows; row_++)                                                                        \
        for (int64_t i_ = 0; i_ < window->out[0]; i_++)                                                                \
            for (int64_t j_ = 0; j_ < window->out[1]; j_++) {                                                          \
                const visible v = visible_at(window, i_, j_);                                                          \
                const int64_t in = (row_ * window->in[0] * window->in[1] + v.pixel) * channels;                        \
                const int64_t out = ((row_ * window->out[0] + i_) * window->out[1] + j_) * channels;                   \
                body                                                                                                   \
            }

/* Runs `body` for every pixel of window v, in scan order: its number `tap` in the whole window and its place `at`. */
#define FOR_TAPS(body)                                                                                                 \
    for (int64_t a_ = 0; a_ < v.n[0]; a_++)                                                                            \
        for (int64_t b_ = 0; b_ < v.n[1]; b_++) {                                                                      \
            const int32_t tap = (int32_t)((v.first[0] + a_) * window->kernel[1] + v.first[1] + b_);                    \
            const int64_t at = in + (a_ * window->in[1] + b_) * channels;                                              \
            body                                                                                                       \
        }

/* Whether all of a window of 2x2 is inside: what nearly every max pool has, so it gets a pass of its own. */
static inline bool is_square_of_two(const dt_window *window, visible v) {
    return window->kernel[0] == 2 && window->kernel[1] == 2 && v.n[0] == 2 && v.n[1] == 2;
}

/* The larger of a and b and whose it is: a's among equals, and whichever is NaN. */
#define LARGER(a, a_is, b, b_is)                                                                                       \
    do {                                                                                                               \
        bool larger_ = ((b) > (a)) | ((b) != (b));                                                                     \
        (a) = larger_ ? (b) : (a);                                                                                     \
        (a_is) = larger_ ? (b_is) : (a_is);                                                                            \
    } while (0)

/* ---- windows of 2x2, by vectors of channels: the last is masked, as is all there is where a picture has few ---- */

#ifdef DT_REAL_DOUBLE
typedef int64_t lane_bits __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef int32_t lane_bits __attribute__((vector_size(VECTOR_BYTES)));
#endif

INLINE vector channels_at(const dt_real *from, const bool masked, lane_mask some) {
    return masked ? load_lanes(from, some) : *(const vector *)from;
}

INLINE void put_channels(dt_real *to, vector value, const bool masked, lane_mask some) {
    if (masked)
        store_lanes(to, value, some);
    else
        *(vector *)to = value;
}

#ifdef DT_REAL_DOUBLE /* whose integers are wider than winners */
INLINE void put_winners(int32_t *won, lane_bits tap, const bool masked, lane_mask some) {
    for (int i = 0; i < PER_VECTOR; i++)
        if (!masked || i < some) won[i] = (int32_t)tap[i];
}
INLINE lane_bits winners_at(const int32_t *won, const bool masked, lane_mask some) {
    lane_bits tap = {0};
    for (int i = 0; i < PER_VECTOR; i++)
        if (!masked || i < some) tap[i] = won[i];
    return tap;
}
#else
INLINE void put_winners(int32_t *won, lane_bits tap, const bool masked, lane_mask some) {
    put_channels((dt_real *)(void *)won, (vector)tap, masked, some);
}
INLINE lane_bits winners_at(const int32_t *won, const bool masked, lane_mask some) {
    return (lane_bits)channels_at((const dt_real *)(const void *)won, masked, some);
}
#endif

INLINE vector either(lane_bits which, vector yes, vector no) {
    return (vector)((which & (lane_bits)yes) | (~which & (lane_bits)no));
}

INLINE void max_of_four(dt_real *restrict best, int32_t *restrict won, const dt_real *restrict x, int64_t down,
                        int64_t across, const bool masked, lane_mask some) {
    const dt_real *const pixel[] = {x, x + across, x + down, x + down + across};
    vector a = channels_at(x, masked, some);
    lane_bits tap = {0};
#pragma GCC unroll 3
    for (int i = 1; i < 4; i++) { /* as LARGER */
        vector b = channels_at(pixel[i], masked, some);
        lane_bits larger = (lane_bits)((b > a) | (b != b)); // NOLINT(misc-redundant-expression): NaN
        a = either(larger, b, a);
        tap = (tap & ~larger) | (((lane_bits){0} + i) & larger);
    }
    put_channels(best, a, masked, some);
    put_winners(won, tap, masked, some);
}

INLINE void give_to_one_of_four(dt_real *restrict dx, const dt_real *restrict dy, const int32_t *restrict won,
                                int64_t down, int64_t across, const bool masked, lane_mask some) {
    dt_real *const pixel[] = {dx, dx + across, dx + down, dx + down + across};
    const lane_bits d = (lane_bits)channels_at(dy, masked, some), tap = winners_at(won, masked, some);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) put_channels(pixel[i], (vector)(d & (lane_bits)(tap == i)), masked, some);
}

#define OVER_CHANNELS(function, ...)                                                                                   \
    do {                                                                                                               \
        int64_t c = 0;                                                                                                 \
        for (; c + PER_VECTOR <= channels; c += PER_VECTOR) function(__VA_ARGS__, false, rest);                        \
        if (c < channels) function(__VA_ARGS__, true, rest);                                                           \
    } while (0)

void DT_OF_ISA(max_pool)(dt_real *restrict y, int32_t *restrict winner, const dt_real *restrict x,
                         const dt_window *window, int64_t rows, int64_t channels) {
    const lane_mask rest = first_lanes(channels % PER_VECTOR);
    FOR_WINDOWS({
        dt_real *restrict best = y + out;
        int32_t *restrict won = winner + out;
        if (is_square_of_two(window, v)) {
            OVER_CHANNELS(max_of_four, best + c, won + c, x + in + c, window->in[1] * channels, channels);
            continue;
        }
        const int32_t start = (int32_t)(v.first[0] * window->kernel[1] + v.first[1]);
        FOR_TAPS({
            const dt_real *restrict here = x + at;
            if (tap == start) {
                memcpy(best, here, (size_t)channels * sizeof *best);
                for (int64_t c = 0; c < channels; c++) won[c] = tap;
            } else {
                SIMD for (int64_t c = 0; c < channels; c++) LARGER(best[c], won[c], here[c], tap);
            }
        })
    })
}

void DT_OF_ISA(max_pool_backward)(dt_real *restrict dx, const dt_real *restrict dy, const int32_t *restrict winner,
                                  const dt_window *window, int64_t rows, int64_t channels) {
    const bool write = dt_window_squares_tile(window); /* where it adds otherwise */
    const lane_mask rest = first_lanes(channels % PER_VECTOR);
    if (!write) memset(dx, 0, (size_t)(rows * window->in[0] * window->in[1] * channels) * sizeof *dx);
    FOR_WINDOWS({
        const dt_real *restrict d = dy + out;
        const int32_t *restrict won = winner + out;
        if (write) {
            OVER_CHANNELS(give_to_one_of_four, dx + in + c, d + c, won + c, window->in[1] * channels, channels);
            continue;
        }
        FOR_TAPS({
            dt_real *restrict to = dx + at;
            SIMD for (int64_t c = 0; c < channels; c++) to[c] += won[c] == tap ? d[c] : 0;
        })
    })
}

void DT_OF_ISA(avg_pool)(dt_real *restrict y, const dt_real *restrict x, const dt_window *window, int64_t rows,
                         int64_t channels) {
    FOR_WINDOWS({
        dt_real *restrict mean = y + out;
        const dt_real share = 1 / (dt_real)(v.n[0] * v.n[1]);
        memset(mean, 0, (size_t)channels * sizeof *mean);
        FOR_TAPS({
            (void)tap;
            const dt_real *restrict here = x + at;
            SIMD for (int64_t c = 0; c < channels; c++) mean[c] += here[c];
        })
        SIMD for (int64_t c = 0; c < channels; c++) mean[c] *= share;
    })
}

void DT_OF_ISA(avg_pool_backward)(dt_real *restrict dx, const dt_real *restrict dy, const dt_window *window,
                                  int64_t rows, int64_t channels) {
    memset(dx, 0, (size_t)(rows * window->in[0] * window->in[1] * channels) * sizeof *dx);
    FOR_WINDOWS({
        const dt_real *restrict d = dy + out;
        const dt_real share = 1 / (dt_real)(v.n[0] * v.n[1]);
        FOR_TAPS({
            (void)tap;
            dt_real *restrict to = dx + at;
            SIMD for (int64_t c = 0; c < channels; c++) to[c] = fma_real(d[c], share, to[c]);
        })
    })
}
