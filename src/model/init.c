/* Initial values. Every element is a draw keyed by (seed, index of its parameter, position), so the same model starts
 * from the same weights on every rank and whatever else is drawn. The recipes are the textbook ones:
 *
 *   glorot_uniform  U(-a, a), a = sqrt(6/(in + out))   Glorot and Bengio 2010, equation 16
 *   glorot_normal   N(0, 2/(in + out))                 the same, equation 12
 *   he_normal       N(0, g^2 2/in)                     He et al. 2015, equation 10; leaky ReLU of slope s has
 *   he_uniform      the uniform of that variance       g^2 = 1/(1 + s^2), equation 15 */
#include <math.h>
#include <string.h>

#include "init.h"

const char *const dt_init_names[] = {"auto",      "glorot_uniform", "glorot_normal", "he_uniform",
                                     "he_normal", "normal",         "zeros",         NULL};

static void fill_normal(dt_real *w, size_t count, dt_stream stream, double deviation) {
    for (size_t block = 0; block * 4 < count; block++) {
        double draw[4];
        dt_stream_normal4(draw, stream, 0, block);
        for (size_t i = block * 4, j = 0; j < 4 && i < count; i++, j++) w[i] = (dt_real)(deviation * draw[j]);
    }
}

static void fill_uniform(dt_real *w, size_t count, dt_stream stream, double limit) {
    for (size_t block = 0; block * 4 < count; block++) {
        uint32_t draw[4];
        dt_stream_block(draw, stream, 0, block);
        for (size_t i = block * 4, j = 0; j < 4 && i < count; i++, j++)
            w[i] = (dt_real)(limit * (((double)draw[j] + 0.5) * 0x1p-31 - 1));
    }
}

void dt_init_fill(dt_real *w, size_t count, dt_init init, int64_t fan_in, int64_t fan_out, double gain, double std,
                  uint64_t seed, int param) {
    dt_stream stream = dt_stream_at(seed, DT_RANDOM_INIT, (uint64_t)param, 0);
    double glorot = sqrt(2.0 / (double)(fan_in + fan_out)), he = gain * sqrt(2.0 / (double)fan_in);
    switch (init) {
    case DT_INIT_AUTO: /* resolved by the layer */
    case DT_INIT_ZEROS: memset(w, 0, count * sizeof *w); break;
    case DT_INIT_GLOROT_UNIFORM: fill_uniform(w, count, stream, sqrt(3.0) * glorot); break;
    case DT_INIT_GLOROT_NORMAL: fill_normal(w, count, stream, glorot); break;
    case DT_INIT_HE_UNIFORM: fill_uniform(w, count, stream, sqrt(3.0) * he); break;
    case DT_INIT_HE_NORMAL: fill_normal(w, count, stream, he); break;
    case DT_INIT_NORMAL: fill_normal(w, count, stream, std); break;
    }
}

void dt_init_fill_before(dt_real *w, size_t count, dt_init init, int64_t fan_in, int64_t fan_out, dt_activation act,
                         double slope, double std, uint64_t seed, int param) {
    bool rectifies = act == DT_RELU || act == DT_LEAKY_RELU || act == DT_GELU || act == DT_SILU;
    dt_init how = init != DT_INIT_AUTO ? init : rectifies ? DT_INIT_HE_NORMAL : DT_INIT_GLOROT_UNIFORM;
    double gain = act == DT_LEAKY_RELU ? sqrt(1 / (1 + slope * slope)) : 1;
    dt_init_fill(w, count, how, fan_in, fan_out, gain, std, seed, param);
}
