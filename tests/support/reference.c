/* See reference.h. */
#include "reference.h"

#include <math.h>
#include <stdlib.h>

#define PI 3.14159265358979323846

enum { LINEAR, SIGMOID, TANH, RELU, LEAKY_RELU, GELU, SILU };
enum { SOFTMAX_CROSS_ENTROPY, MEAN_SQUARED_ERROR, BINARY_CROSS_ENTROPY };

double ref_uniform(uint64_t seed, uint64_t index) {
    uint64_t x = (seed * 0x2545F4914F6CDD1DU + index + 1) * 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    x ^= x >> 31;
    return (double)(x >> 11) * 0x1p-52 - 1;
}

double ref_bf16(double x) {
    if (!isfinite(x) || x == 0) return x;
    int exponent;
    frexp(x, &exponent);
    double spacing = ldexp(1, (exponent < -125 ? -125 : exponent) - 8);
    double rounded = rint(x / spacing) * spacing;
    return fabs(rounded) < 0x1p128 ? rounded : copysign(INFINITY, x);
}

void ref_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double *a, const double *b,
              double beta, double *c) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = beta == 0 ? 0 : beta * c[i * n + j];
            for (int64_t l = 0; l < k; l++) {
                double left = transpose_a ? a[l * m + i] : a[i * k + l];
                double right = transpose_b ? b[j * k + l] : b[l * n + j];
                sum += left * right;
            }
            c[i * n + j] = sum;
        }
}

/* ---- activations ---- */

static double logistic(double v) {
    return v >= 0 ? 1 / (1 + exp(-v)) : exp(v) / (1 + exp(v));
}

double ref_activation(int act, double v, double leak) {
    switch (act) {
    case LINEAR: return v;
    case SIGMOID: return logistic(v);
    case TANH: return tanh(v);
    case RELU: return v < 0 ? 0 : v;
    case LEAKY_RELU: return v < 0 ? leak * v : v;
    case GELU: return 0.5 * v * (1 + tanh(sqrt(2 / PI) * (v + 0.044715 * v * v * v)));
    case SILU: return v * logistic(v);
    default: return NAN;
    }
}

double ref_activation_slope(int act, double v, double leak) {
    double u = sqrt(2 / PI) * (v + 0.044715 * v * v * v);
    switch (act) {
    case LINEAR: return 1;
    case SIGMOID: return logistic(v) * logistic(-v);
    case TANH: return 1 / (cosh(v) * cosh(v));
    case RELU: return v > 0 ? 1 : 0;
    case LEAKY_RELU: return v > 0 ? 1 : leak;
    case GELU: return 0.5 * (1 + tanh(u)) + 0.5 * v / (cosh(u) * cosh(u)) * sqrt(2 / PI) * (1 + 3 * 0.044715 * v * v);
    case SILU: return logistic(v) + v * logistic(v) * logistic(-v);
    default: return NAN;
    }
}

void ref_softmax(double *y, const double *x, int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++) {
        double top = x[i * cols], sum = 0;
        for (int64_t j = 0; j < cols; j++) top = fmax(top, x[i * cols + j]);
        for (int64_t j = 0; j < cols; j++) sum += exp(x[i * cols + j] - top);
        for (int64_t j = 0; j < cols; j++) y[i * cols + j] = exp(x[i * cols + j] - top) / sum;
    }
}

void ref_softmax_backward(double *dx, const double *dy, const double *y, int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            double sum = 0;
            for (int64_t l = 0; l < cols; l++) {
                double jacobian = y[i * cols + l] * ((l == j) - y[i * cols + j]);
                sum += jacobian * dy[i * cols + l];
            }
            dx[i * cols + j] = sum;
        }
}

/* ---- normalisation ---- */

/* Which set number i belongs to. */
static int64_t set_of(const ref_norm_shape *s, int64_t i) {
    int64_t col = i % s->cols, row = i / (s->positions * s->cols);
    switch (s->kind) {
    case REF_BATCH_NORM: return col;
    case REF_LAYER_NORM:
    case REF_RMS_NORM: return i / s->cols;
    case REF_GROUP_NORM: return row * s->groups + col / (s->cols / s->groups);
    }
    return 0;
}

static void moments_of_set(const ref_norm_shape *s, const double *x, int64_t set, double *mean, double *variance,
                           double *size) {
    int64_t n = s->rows * s->positions * s->cols;
    double sum = 0, square = 0, count = 0;
    for (int64_t i = 0; i < n; i++)
        if (set_of(s, i) == set) sum += x[i], count++;
    *mean = s->kind == REF_RMS_NORM ? 0 : sum / count;
    for (int64_t i = 0; i < n; i++)
        if (set_of(s, i) == set) square += (x[i] - *mean) * (x[i] - *mean);
    *variance = square / count;
    *size = count;
}

void ref_normalise(double *y, double *mean, double *variance, const double *x, const double *scale, const double *shift,
                   const ref_norm_shape *s) {
    for (int64_t i = 0; i < s->rows * s->positions * s->cols; i++) {
        double size;
        moments_of_set(s, x, set_of(s, i), &mean[i], &variance[i], &size);
        y[i] = (x[i] - mean[i]) / sqrt(variance[i] + s->eps);
        if (scale) y[i] *= scale[i % s->cols];
        if (shift) y[i] += shift[i % s->cols];
        if (s->relu && y[i] < 0) y[i] = 0;
    }
}

void ref_normalise_backward(double *dx, double *dscale, double *dshift, const double *dy, const double *x,
                            const double *scale, const double *shift, const ref_norm_shape *s) {
    int64_t n = s->rows * s->positions * s->cols;
    for (int64_t j = 0; j < s->cols; j++) dscale[j] = dshift[j] = 0;
    for (int64_t i = 0; i < n; i++) dx[i] = 0;
    for (int64_t i = 0; i < n; i++) {
        double mean, variance, size;
        moments_of_set(s, x, set_of(s, i), &mean, &variance, &size);
        double deviation = sqrt(variance + s->eps), normal = (x[i] - mean) / deviation;
        double factor = scale ? scale[i % s->cols] : 1, y = normal * factor + (shift ? shift[i % s->cols] : 0);
        double g = s->relu && y <= 0 ? 0 : dy[i];
        dscale[i % s->cols] += g * normal;
        dshift[i % s->cols] += g;
        for (int64_t j = 0; j < n; j++) {
            if (set_of(s, j) != set_of(s, i)) continue;
            double by_mean = s->kind == REF_RMS_NORM ? 0 : 1 / size;
            double by_deviation = (x[j] - mean) / (size * deviation);
            double slope = ((i == j) - by_mean) / deviation - normal / deviation * by_deviation;
            dx[j] += g * factor * slope;
        }
    }
}

/* The position between 0 and count - 1 that element i of the larger line shows. */
static double shown_place(int64_t i, int64_t factor, int64_t count, bool linear) {
    int64_t nearest = i / factor;
    if (!linear) return (double)nearest;
    double centre = ((double)i + 0.5) / (double)factor - 0.5;
    return fmin(fmax(centre, 0), (double)(count - 1));
}

double ref_upsampled(const double *x, int64_t height, int64_t width, int64_t cols, int64_t factor_high,
                     int64_t factor_wide, bool linear, int64_t line, int64_t column, int64_t col) {
    double v = shown_place(line, factor_high, height, linear), h = shown_place(column, factor_wide, width, linear);
    double sum = 0;
    for (int64_t i = 0; i < height; i++)
        for (int64_t j = 0; j < width; j++)
            sum +=
                fmax(0, 1 - fabs(v - (double)i)) * fmax(0, 1 - fabs(h - (double)j)) * x[(i * width + j) * cols + col];
    return sum;
}

/* ---- losses ---- */

/* How many outputs come before the label's: larger, or equal and earlier. */
static int64_t place_of(const double *o, int64_t label, int64_t cols) {
    int64_t before = 0;
    for (int64_t j = 0; j < cols; j++) before += o[j] > o[label] || (o[j] == o[label] && j < label);
    return before;
}

static int64_t largest(const double *t, int64_t cols) {
    int64_t best = 0;
    for (int64_t j = 0; j < cols; j++)
        if (t[j] > t[best]) best = j;
    return best;
}

static double cross_entropy(double *gradient, const double *o, const double *t, int64_t cols) {
    double top = o[0], sum = 0, loss = 0, mass = 0;
    for (int64_t j = 0; j < cols; j++) top = fmax(top, o[j]);
    for (int64_t j = 0; j < cols; j++) sum += exp(o[j] - top);
    for (int64_t j = 0; j < cols; j++) loss -= t[j] * (o[j] - top - log(sum));
    for (int64_t j = 0; j < cols; j++) mass += t[j];
    for (int64_t j = 0; gradient && j < cols; j++) gradient[j] = mass * exp(o[j] - top) / sum - t[j];
    return loss;
}

static double squared_error(double *gradient, const double *o, const double *t, int64_t cols) {
    double loss = 0;
    for (int64_t j = 0; j < cols; j++) loss += (o[j] - t[j]) * (o[j] - t[j]) / 2;
    for (int64_t j = 0; gradient && j < cols; j++) gradient[j] = o[j] - t[j];
    return loss;
}

/* -log s(o), without overflow. */
static double minus_log_logistic(double o) {
    return o > 0 ? log1p(exp(-o)) : log1p(exp(o)) - o;
}

static double binary_cross_entropy(double *gradient, const double *o, const double *t, int64_t cols) {
    double loss = 0;
    for (int64_t j = 0; j < cols; j++) loss += t[j] * minus_log_logistic(o[j]) + (1 - t[j]) * minus_log_logistic(-o[j]);
    for (int64_t j = 0; gradient && j < cols; j++) gradient[j] = logistic(o[j]) - t[j];
    return loss;
}

/* What one sample adds. `hard` is the target before smoothing. */
static void tally_sample(ref_tally *tally, int kind, const double *o, const double *hard, bool labels, int64_t cols) {
    bool ranked = kind == SOFTMAX_CROSS_ENTROPY || (labels && cols > 1);
    if (ranked) {
        int64_t before = place_of(o, largest(hard, cols), cols);
        tally->correct += before == 0;
        tally->correct_top5 += before < 5;
    } else if (kind == BINARY_CROSS_ENTROPY) {
        bool right = true;
        for (int64_t j = 0; j < cols; j++) right = right && (o[j] > 0) == (hard[j] > 0.5);
        tally->correct += right;
    }
    if (kind == SOFTMAX_CROSS_ENTROPY) return;
    double sum = 0;
    for (int64_t j = 0; j < cols; j++) sum += fabs((kind == BINARY_CROSS_ENTROPY ? logistic(o[j]) : o[j]) - hard[j]);
    tally->abs_error += sum / (double)cols;
}

ref_tally ref_loss(int kind, double *gradient, const double *output, const int32_t *labels, const double *values,
                   const double *weights, int64_t rows, int64_t cols, double smoothing) {
    ref_tally tally = {0};
    double *hard = calloc((size_t)(2 * cols), sizeof *hard), *t = hard + cols;
    for (int64_t i = 0; i < rows; i++) {
        if (!values && labels[i] < 0) {
            for (int64_t j = 0; gradient && j < cols; j++) gradient[i * cols + j] = 0;
            continue;
        }
        tally.rows++;
        for (int64_t j = 0; j < cols; j++)
            hard[j] = values ? values[i * cols + j] : cols == 1 ? labels[i] : labels[i] == j;
        for (int64_t j = 0; j < cols; j++)
            t[j] = kind == SOFTMAX_CROSS_ENTROPY  ? (1 - smoothing) * hard[j] + smoothing / (double)cols
                   : kind == BINARY_CROSS_ENTROPY ? (1 - smoothing) * hard[j] + smoothing / 2
                                                  : hard[j];
        const double *o = output + i * cols;
        double *g = gradient ? gradient + i * cols : NULL;
        double weight = weights ? weights[i] : 1;
        tally.loss += weight * (kind == SOFTMAX_CROSS_ENTROPY  ? cross_entropy(g, o, t, cols)
                                : kind == BINARY_CROSS_ENTROPY ? binary_cross_entropy(g, o, t, cols)
                                                               : squared_error(g, o, t, cols));
        for (int64_t j = 0; g && j < cols; j++) g[j] *= weight;
        double before = tally.abs_error;
        tally_sample(&tally, kind, o, hard, labels != NULL, cols);
        if (!(weight > 0)) tally.abs_error = before;
    }
    free(hard);
    return tally;
}

/* ---- windows ---- */

/* The offset in x of pixel (a, b) of the window of output pixel (i, j), or -1 outside the picture. */
static int64_t pixel(const ref_window *window, int64_t row, int64_t i, int64_t j, int64_t a, int64_t b,
                     int64_t channels) {
    int64_t down = i * window->stride[0] - window->before[0] + a * window->dilation[0];
    int64_t across = j * window->stride[1] - window->before[1] + b * window->dilation[1];
    if (down < 0 || across < 0 || down >= window->in[0] || across >= window->in[1]) return -1;
    return ((row * window->in[0] + down) * window->in[1] + across) * channels;
}

/* Output pixels and window pixels as flat loops. */
#define EACH_OUTPUT(n, i, j)                                                                                           \
    for (int64_t n = 0; n < rows; n++)                                                                                 \
        for (int64_t i = 0; i < window->out[0]; i++)                                                                   \
            for (int64_t j = 0; j < window->out[1]; j++)
#define EACH_TAP(a, b)                                                                                                 \
    for (int64_t a = 0; a < window->kernel[0]; a++)                                                                    \
        for (int64_t b = 0; b < window->kernel[1]; b++)
#define OUTPUT_AT(n, i, j) (((n)*window->out[0] + (i)) * window->out[1] + (j))

void ref_conv(double *y, const double *x, const double *w, const double *b, const ref_window *window, int64_t rows,
              int64_t channels_in, int64_t channels_out, int64_t groups) {
    int64_t depth = channels_in / groups, share = channels_out / groups;
    EACH_OUTPUT(n, i, j)
    for (int64_t o = 0; o < channels_out; o++) {
        double sum = b ? b[o] : 0;
        EACH_TAP(p, q) {
            int64_t at = pixel(window, n, i, j, p, q, channels_in);
            for (int64_t c = 0; at >= 0 && c < depth; c++)
                sum += x[at + o / share * depth + c] * w[((p * window->kernel[1] + q) * depth + c) * channels_out + o];
        }
        y[OUTPUT_AT(n, i, j) * channels_out + o] = sum;
    }
}

void ref_conv_backward(double *dx, double *dw, const double *dy, const double *x, const double *w,
                       const ref_window *window, int64_t rows, int64_t channels_in, int64_t channels_out,
                       int64_t groups) {
    int64_t depth = channels_in / groups, share = channels_out / groups;
    for (int64_t i = 0; i < rows * window->in[0] * window->in[1] * channels_in; i++) dx[i] = 0;
    for (int64_t i = 0; i < window->kernel[0] * window->kernel[1] * depth * channels_out; i++) dw[i] = 0;
    EACH_OUTPUT(n, i, j)
    EACH_TAP(p, q) {
        int64_t at = pixel(window, n, i, j, p, q, channels_in);
        for (int64_t o = 0; at >= 0 && o < channels_out; o++) {
            double d = dy[OUTPUT_AT(n, i, j) * channels_out + o];
            for (int64_t c = 0; c < depth; c++) {
                int64_t from = at + o / share * depth + c;
                int64_t weight = ((p * window->kernel[1] + q) * depth + c) * channels_out + o;
                dx[from] += d * w[weight];
                dw[weight] += d * x[from];
            }
        }
    }
}

void ref_max_pool(double *y, double *dx, const double *dy, const double *x, const ref_window *window, int64_t rows,
                  int64_t channels) {
    for (int64_t i = 0; dx && i < rows * window->in[0] * window->in[1] * channels; i++) dx[i] = 0;
    EACH_OUTPUT(n, i, j)
    for (int64_t c = 0; c < channels; c++) {
        int64_t best = -1, out = OUTPUT_AT(n, i, j) * channels + c;
        EACH_TAP(p, q) {
            int64_t at = pixel(window, n, i, j, p, q, channels);
            if (at >= 0 && (best < 0 || x[at + c] > x[best] || isnan(x[at + c]))) best = at + c;
        }
        if (y) y[out] = x[best];
        if (dx) dx[best] += dy[out];
    }
}

void ref_avg_pool(double *y, double *dx, const double *dy, const double *x, const ref_window *window, int64_t rows,
                  int64_t channels) {
    for (int64_t i = 0; dx && i < rows * window->in[0] * window->in[1] * channels; i++) dx[i] = 0;
    EACH_OUTPUT(n, i, j)
    for (int64_t c = 0; c < channels; c++) {
        int64_t out = OUTPUT_AT(n, i, j) * channels + c;
        double sum = 0, count = 0;
        EACH_TAP(p, q) {
            int64_t at = pixel(window, n, i, j, p, q, channels);
            sum += at >= 0 ? x[at + c] : 0;
            count += at >= 0;
        }
        if (y) y[out] = sum / count;
        EACH_TAP(p, q) {
            int64_t at = pixel(window, n, i, j, p, q, channels);
            if (dx && at >= 0) dx[at + c] += dy[out] / count;
        }
    }
}

/* ---- dropout ---- */

double ref_dropout_factor(void (*words)(uint32_t out[4], uint64_t sample, uint64_t block), uint64_t sample,
                          uint64_t element, double rate) {
    uint32_t four[4];
    words(four, sample, element / 256 * 64 + element % 64);
    uint64_t word = element % 256 / 64;
    double draw = four[word] * 0x1p-32;
    return draw < rate ? 0 : 1 / (1 - rate);
}

/* ---- attention ---- */

/* Where a number of a head is in qkv. */
static int64_t ref_qkv_at(const ref_attention_shape *s, int64_t row, int64_t position, int64_t head, int64_t i) {
    return ((row * s->positions + position) * (s->heads + 2 * s->kv_heads) + head) * s->size + i;
}

static bool ref_sees(const ref_attention_shape *s, int64_t row, int64_t query, int64_t key) {
    if (s->hidden && s->hidden[row * s->positions + key]) return false;
    return !s->causal || key <= query;
}

/* The weights of the keys for one query. Returns the logarithm to base 2 of the sum; 0 where no key is seen. */
static double ref_attention_weights(double *weights, const double *qkv, const ref_attention_shape *s, int64_t row,
                                    int64_t head, int64_t query) {
    int64_t k_head = s->heads + head / (s->heads / s->kv_heads);
    double largest = -INFINITY, sum = 0;
    for (int64_t key = 0; key < s->positions; key++) {
        double score = 0;
        for (int64_t i = 0; i < s->size; i++)
            score += qkv[ref_qkv_at(s, row, query, head, i)] * qkv[ref_qkv_at(s, row, key, k_head, i)];
        weights[key] = ref_sees(s, row, query, key) ? score / sqrt((double)s->size) : -INFINITY;
        largest = fmax(largest, weights[key]);
    }
    for (int64_t key = 0; key < s->positions; key++) {
        weights[key] = isinf(weights[key]) ? 0 : exp(weights[key] - largest);
        sum += weights[key];
    }
    for (int64_t key = 0; key < s->positions && sum > 0; key++) weights[key] /= sum;
    return sum > 0 ? (largest + log(sum)) / log(2) : 0;
}

void ref_attention(double *y, double *log2_sum, double *dqkv, const double *dy, const double *qkv,
                   const ref_attention_shape *s) {
    double *weights = malloc((size_t)s->positions * sizeof *weights);
    double *slopes = malloc((size_t)s->positions * sizeof *slopes);
    int64_t width = s->heads + 2 * s->kv_heads;
    for (int64_t i = 0; i < s->rows * s->positions * width * s->size; i++) dqkv[i] = 0;
    for (int64_t row = 0; row < s->rows; row++) {
        for (int64_t head = 0; head < s->heads; head++) {
            int64_t k_head = s->heads + head / (s->heads / s->kv_heads), v_head = k_head + s->kv_heads;
            for (int64_t query = 0; query < s->positions; query++) {
                int64_t out = ((row * s->positions + query) * s->heads + head) * s->size;
                log2_sum[(row * s->heads + head) * s->positions + query] =
                    ref_attention_weights(weights, qkv, s, row, head, query);
                for (int64_t key = 0; key < s->positions; key++) slopes[key] = 0;
                for (int64_t i = 0; i < s->size; i++) {
                    y[out + i] = 0;
                    for (int64_t key = 0; key < s->positions; key++) {
                        int64_t v = ref_qkv_at(s, row, key, v_head, i);
                        y[out + i] += weights[key] * qkv[v];
                        slopes[key] += dy[out + i] * qkv[v];
                        dqkv[v] += weights[key] * dy[out + i];
                    }
                }
                double mean = 0;
                for (int64_t key = 0; key < s->positions; key++) mean += weights[key] * slopes[key];
                for (int64_t key = 0; key < s->positions; key++) slopes[key] = weights[key] * (slopes[key] - mean);
                for (int64_t key = 0; key < s->positions; key++) {
                    for (int64_t i = 0; i < s->size; i++) {
                        int64_t q = ref_qkv_at(s, row, query, head, i), k = ref_qkv_at(s, row, key, k_head, i);
                        dqkv[q] += slopes[key] * qkv[k] / sqrt((double)s->size);
                        dqkv[k] += slopes[key] * qkv[q] / sqrt((double)s->size);
                    }
                }
            }
        }
    }
    free(weights);
    free(slopes);
}

/* ---- update rules ---- */

static double effective(double w, double g, const ref_update *u) {
    double d = g * u->grad_scale;
    if (u->grad_limit > 0 && d > u->grad_limit) d = u->grad_limit;
    if (u->grad_limit > 0 && d < -u->grad_limit) d = -u->grad_limit;
    return d + u->l2 * w;
}

static void step(double *w, double direction, const ref_update *u) {
    *w = *w - u->lr * direction - u->lr * u->decay * *w;
}

void ref_sgd(double *w, double *velocity, double g, const ref_update *u) {
    double d = effective(*w, g, u);
    if (velocity) {
        *velocity = u->momentum * *velocity + d;
        d = u->nesterov ? d + u->momentum * *velocity : *velocity;
    }
    step(w, d, u);
}

void ref_adam(double *w, double *m, double *v, double g, const ref_update *u) {
    double d = effective(*w, g, u);
    *m = u->beta1 * *m + (1 - u->beta1) * d;
    *v = u->beta2 * *v + (1 - u->beta2) * d * d;
    double mean = *m / (1 - pow(u->beta1, (double)u->t)), square = *v / (1 - pow(u->beta2, (double)u->t));
    step(w, mean / (sqrt(square) + u->eps), u);
}

void ref_rmsprop(double *w, double *v, double *velocity, double g, const ref_update *u) {
    double d = effective(*w, g, u);
    *v = u->rho * *v + (1 - u->rho) * d * d;
    double direction = d / (sqrt(*v) + u->eps);
    if (velocity) direction = *velocity = u->momentum * *velocity + direction;
    step(w, direction, u);
}

void ref_adagrad(double *w, double *sum, double g, const ref_update *u) {
    double d = effective(*w, g, u);
    *sum += d * d;
    step(w, d / (sqrt(*sum) + u->eps), u);
}
