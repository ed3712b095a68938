/* Figures of an evaluation. What ranks collect are counts and exact sums, in one array of integers, which are added up
 * and only then divided: so the figures are the same on any number of ranks. */
#include "assessment.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/sum.h"
#include "scores.h"

#define ROWS 64 /* whose outputs are turned into probabilities at once */
enum { ABSOLUTE, SQUARED, TARGET, TARGET_SQUARED, SUMS };

struct dt_assessor {
    dt_outputs outputs;
    const dt_kernels *kernels;
    bool probabilities;
    int64_t classes, values; /* one of them is 0 */
    int64_t *words;          /* all that is added up: what follows points into it */
    size_t word_count;
    int64_t *samples, *in_class, *chosen, *right, *confusion, *bin_samples, *bin_right;
    dt_sum *confidence; /* [bins] */
    dt_sum *sums;       /* [values, SUMS] */
    int64_t added;      /* since sums were carried */
    double *units;      /* [values] */
    dt_scores scores;
    dt_real *work; /* [ROWS, width] */
    int32_t picks[ROWS];
};

/* ---- memory ---- */

#define SUM_WORDS ((size_t)DT_SUM_LIMBS)

/* Points into the words; with words NULL, how many there are. */
static size_t lay_out(dt_assessor *a) {
    size_t at = 0, classes = (size_t)a->classes, bins = a->probabilities && classes > 0 ? DT_ASSESSMENT_BINS : 0;
    size_t pairs = classes <= DT_ASSESSMENT_MOST ? classes * classes : 0;
#define PART(member, type, count)                                                                                      \
    a->member = a->words && (count) > 0 ? (type *)(a->words + at) : NULL;                                              \
    at += (count) * sizeof(type) / sizeof *a->words
    PART(samples, int64_t, (size_t)1);
    PART(in_class, int64_t, classes);
    PART(chosen, int64_t, classes);
    PART(right, int64_t, classes);
    PART(confusion, int64_t, pairs);
    PART(bin_samples, int64_t, bins);
    PART(bin_right, int64_t, bins);
    PART(confidence, dt_sum, bins);
    PART(sums, dt_sum, (size_t)a->values * SUMS);
#undef PART
    return at;
}

static dt_status reserve(dt_assessor *a) {
    a->word_count = lay_out(a);
    a->words = dt_alloc(a->word_count, sizeof *a->words);
    a->work = dt_alloc(ROWS * (size_t)a->outputs.width, sizeof *a->work);
    a->units = dt_alloc((size_t)a->values + 1, sizeof *a->units);
    if (!a->words || !a->work || !a->units) return dt_fail_memory("an evaluation's figures", a->word_count * 8);
    lay_out(a);
    for (int64_t j = 0; j < a->values; j++) a->units[j] = 1;
    return dt_ok();
}

dt_status dt_assessor_create(dt_assessor **out, const dt_outputs *outputs, const dt_kernels *kernels) {
    dt_assessor *a = *out = dt_alloc(1, sizeof *a);
    if (!a) return dt_fail_memory("an evaluation's figures", sizeof *a);
    a->outputs = *outputs;
    a->outputs.positions = 1;  /* a row is one */
    a->outputs.scaling = NULL; /* errors are multiplied by the units, once */
    a->kernels = kernels;
    a->probabilities = outputs->loss != DT_LOSS_MEAN_SQUARED_ERROR;
    a->classes = outputs->classes;
    a->values = outputs->classes > 0 ? 0 : outputs->width;
    return reserve(a);
}

void dt_assessor_destroy(dt_assessor *a) {
    if (!a) return;
    dt_scores_finish(&a->scores);
    dt_free(a->words);
    dt_free(a->work);
    dt_free(a->units);
    dt_free(a);
}

/* ---- samples ---- */

static void carry(dt_assessor *a) {
    for (int b = 0; a->confidence && b < DT_ASSESSMENT_BINS; b++) dt_sum_carry(&a->confidence[b]);
    for (int64_t i = 0; a->sums && i < a->values * SUMS; i++) dt_sum_carry(&a->sums[i]);
    a->added = 0;
}

/* (0, 1/15] is bin 0, … */
static int bin_of(double confidence) {
    int bin = (int)ceil(confidence * DT_ASSESSMENT_BINS) - 1;
    return bin < 0 ? 0 : bin < DT_ASSESSMENT_BINS ? bin : DT_ASSESSMENT_BINS - 1;
}

static void count_class(dt_assessor *a, int64_t is, int64_t said, const dt_real *p) {
    a->in_class[is]++;
    a->chosen[said]++;
    a->right[is] += is == said;
    if (a->confusion) a->confusion[is * a->classes + said]++;
    if (!a->probabilities) return;
    bool single = a->outputs.width == 1;
    double confidence = !single ? (double)p[said] : said == 1 ? (double)p[0] : 1 - (double)p[0];
    int bin = bin_of(confidence);
    a->bin_samples[bin]++;
    a->bin_right[bin] += is == said;
    dt_sum_add(&a->confidence[bin], confidence);
    if (a->classes == 2) dt_scores_add(&a->scores, (float)p[single ? 0 : 1], is == 1);
}

static void add_values(dt_assessor *a, const dt_real *output, const dt_real *target) {
    for (int64_t j = 0; j < a->values; j++) {
        double y = (double)target[j], error = (double)output[j] - y;
        dt_sum *sums = a->sums + j * SUMS;
        dt_sum_add(&sums[ABSOLUTE], fabs(error));
        dt_sum_add(&sums[SQUARED], error * error);
        dt_sum_add(&sums[TARGET], y);
        dt_sum_add(&sums[TARGET_SQUARED], y * y);
    }
}

static int64_t class_of(const dt_batch *batch, int64_t row, int64_t width) {
    if (batch->labels) return batch->labels[row];
    const dt_real *shares = batch->values + row * width;
    int64_t best = 0;
    for (int64_t j = 1; j < width; j++)
        if (shares[j] > shares[best]) best = j;
    return best;
}

static bool all_finite(const dt_real *x, int64_t count) {
    bool finite = true;
    for (int64_t j = 0; j < count; j++) finite &= isfinite(x[j]) != 0;
    return finite;
}

static void take_row(dt_assessor *a, const dt_batch *batch, int64_t row, int64_t i) {
    int64_t width = a->outputs.width;
    const dt_real *p = a->work + i * width;
    int64_t is = a->classes > 0 ? class_of(batch, row, width) : 0;
    if (is < 0 || (a->classes > 0 && is >= a->classes) || !all_finite(p, width)) return;
    ++*a->samples;
    if (a->classes > 0)
        count_class(a, is, a->picks[i], p);
    else
        add_values(a, p, batch->values + row * width);
    if (++a->added == DT_SUM_ADDS / 2) carry(a);
}

void dt_assessor_take(void *assessor, const dt_real *output, const dt_batch *batch, int64_t rows, int64_t width) {
    dt_assessor *a = assessor;
    for (int64_t j = 0; batch->units && j < a->values; j++) a->units[j] = batch->units[j];
    for (int64_t at = 0; at < rows; at += ROWS) {
        int64_t count = rows - at < ROWS ? rows - at : ROWS;
        memcpy(a->work, output + at * width, (size_t)(count * width) * sizeof *output);
        if (a->classes > 0) dt_outputs_choose(&a->outputs, a->work, count, a->picks);
        dt_outputs_finish(&a->outputs, a->kernels, a->work, count);
        for (int64_t i = 0; i < count; i++) take_row(a, batch, at + i, i);
    }
}

/* ---- figures ---- */

static double share(int64_t part, int64_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0;
}

static void judge_classes(const dt_assessor *a, dt_assessment *out) {
    int64_t seen = 0;
    for (int64_t c = 0; c < a->classes; c++) {
        dt_class_figures *f = &out->of_class[c];
        int64_t right = a->right[c];
        *f = (dt_class_figures){a->in_class[c],
                                a->chosen[c],
                                right,
                                share(right, a->chosen[c]),
                                share(right, a->in_class[c]),
                                share(2 * right, a->chosen[c] + a->in_class[c])};
        if (f->samples + f->chosen == 0) continue;
        seen++;
        double weight = share(f->samples, *a->samples);
        out->macro.precision += f->precision;
        out->macro.recall += f->recall;
        out->macro.f1 += f->f1;
        out->weighted.precision += weight * f->precision;
        out->weighted.recall += weight * f->recall;
        out->weighted.f1 += weight * f->f1;
    }
    if (seen == 0) return;
    out->macro.precision /= (double)seen;
    out->macro.recall /= (double)seen;
    out->macro.f1 /= (double)seen;
}

static void judge_calibration(const dt_assessor *a, dt_assessment *out) {
    out->ece = 0;
    for (int b = 0; b < DT_ASSESSMENT_BINS; b++) {
        dt_calibration_bin *bin = &out->bins[b];
        bin->samples = a->bin_samples[b];
        bin->accuracy = share(a->bin_right[b], bin->samples);
        bin->confidence = dt_sum_mean(&a->confidence[b], bin->samples);
        out->ece += share(bin->samples, *a->samples) * fabs(bin->accuracy - bin->confidence);
    }
}

/* What is left of a difference of large sums is all there is to know of targets far from 0: so not in double. */
static long double wide_sum(const dt_sum *sum) {
    dt_sum carried = *sum;
    long double value = 0;
    dt_sum_carry(&carried);
    for (int i = DT_SUM_LIMBS - 1; i >= 0; i--) value += ldexpl((long double)carried.limb[i], 32 * i + DT_SUM_LEAST);
    return value;
}

static void judge_values(const dt_assessor *a, dt_assessment *out) {
    const int64_t n = *a->samples;
    for (int64_t j = 0; j < a->values && n > 0; j++) {
        const dt_sum *sums = a->sums + j * SUMS;
        long double y = wide_sum(&sums[TARGET]), spread = wide_sum(&sums[TARGET_SQUARED]) - y * y / (long double)n;
        out->of_value[j] =
            (dt_value_figures){.mae = dt_sum_mean(&sums[ABSOLUTE], n) * a->units[j],
                               .rmse = sqrt(dt_sum_mean(&sums[SQUARED], n)) * a->units[j],
                               .r2 = spread > 0 ? (double)(1 - wide_sum(&sums[SQUARED]) / spread) : (double)NAN};
    }
}

static dt_status open_assessment(const dt_assessor *a, dt_assessment *out) {
    memset(out, 0, sizeof *out);
    out->auc = out->ece = (double)NAN;
    out->classes = a->classes;
    out->values = a->values;
    size_t classes = (size_t)a->classes, pairs = a->confusion ? classes * classes : 0;
    if (classes > 0) out->of_class = dt_alloc(classes, sizeof *out->of_class);
    if (pairs > 0) out->confusion = dt_alloc(pairs, sizeof *out->confusion);
    if (a->values > 0) out->of_value = dt_alloc((size_t)a->values, sizeof *out->of_value);
    bool there = (classes == 0 || out->of_class) && (pairs == 0 || out->confusion) && (a->values == 0 || out->of_value);
    return there ? dt_ok() : dt_fail_memory("an evaluation's figures", classes * sizeof *out->of_class + pairs * 8);
}

void dt_assessment_finish(dt_assessment *assessment) {
    dt_free(assessment->confusion);
    dt_free(assessment->of_class);
    dt_free(assessment->of_value);
    memset(assessment, 0, sizeof *assessment);
}

/* Units are those of whoever had a sample. */
static dt_status share_units(dt_assessor *a, const dt_ranks *ranks) {
    int64_t first = *a->samples > 0 ? ranks->rank : ranks->size;
    DT_TRY(dt_ranks_least(ranks, &first, 1));
    if (first == ranks->size || a->values == 0) return dt_ok();
    return dt_ranks_broadcast(ranks, a->units, (size_t)a->values * sizeof *a->units, (int)first);
}

dt_status dt_assessor_gather(dt_assessor *a, const dt_ranks *ranks, dt_assessment *out) {
    DT_TRY(dt_ranks_agree(ranks, open_assessment(a, out)));
    DT_TRY(share_units(a, ranks));
    carry(a);
    DT_TRY(dt_ranks_sum(ranks, a->words, a->word_count));
    carry(a);
    out->samples = *a->samples;
    judge_classes(a, out);
    judge_values(a, out);
    if (out->confusion) memcpy(out->confusion, a->confusion, (size_t)(a->classes * a->classes) * sizeof *a->confusion);
    if (a->confidence) judge_calibration(a, out);
    return a->classes == 2 && a->probabilities ? dt_scores_auc(&a->scores, ranks, &out->auc) : dt_ok();
}
