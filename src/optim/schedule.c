/* The learning rate of every step, as a share of optimizer.lr that depends on (step, total) alone, so a resumed run
 * needs no state to go on with.
 *
 * The first `warmup` steps rise linearly, share = (step + 1)/warmup (Goyal et al. 2017, section 2.2). The schedule
 * proper runs over the n = total - warmup steps that remain: with s = step - warmup and p = s/(n - 1), so that p is 0
 * at its first step and 1 at its last (0 throughout when n is 1),
 *
 *   constant    1
 *   step        factor^floor(s/period)
 *   linear      1 + (final - 1) p
 *   cosine      final + (1 - final) (1 + cos(pi p))/2            Loshchilov and Hutter 2017, equation 5, one period
 *   one_cycle   from `initial` up to 1 at p = peak, then down to `final`, each half a cosine: Smith and Topin 2018,
 * with the cosine shape most programs use in place of their straight lines
 *
 * Dividing by n - 1 and not by n makes the last step use `final` itself, which is what the recipe promises. */
#include "base/transcendental.h"
#include "optim/optim.h"

typedef double (*dt_shape_of_rate)(const dt_recipe_schedule *schedule, int64_t s, double p);

/* From `a` at p = 0 to `b` at p = 1 along half a cosine. */
static double anneal(double a, double b, double p) {
    return b + (a - b) * 0.5 * (1 + dt_cos(3.14159265358979323846 * p));
}

static double constant(const dt_recipe_schedule *schedule, int64_t s, double p) {
    (void)schedule, (void)s, (void)p;
    return 1;
}

static double drops(const dt_recipe_schedule *schedule, int64_t s, double p) {
    (void)p;
    int64_t made = s / (schedule->period > 0 ? schedule->period : 1);
    return dt_pow(schedule->factor, (double)made);
}

static double cosine(const dt_recipe_schedule *schedule, int64_t s, double p) {
    (void)s;
    return anneal(1, schedule->final, p);
}

static double linear(const dt_recipe_schedule *schedule, int64_t s, double p) {
    (void)s;
    return 1 + (schedule->final - 1) * p;
}

static double one_cycle(const dt_recipe_schedule *schedule, int64_t s, double p) {
    (void)s;
    double peak = schedule->peak;
    if (p < peak) return anneal(schedule->initial, 1, p / peak);
    return peak < 1 ? anneal(1, schedule->final, (p - peak) / (1 - peak)) : 1;
}

static const dt_shape_of_rate shapes[] = {
    [DT_SCHEDULE_CONSTANT] = constant, [DT_SCHEDULE_STEP] = drops,          [DT_SCHEDULE_COSINE] = cosine,
    [DT_SCHEDULE_LINEAR] = linear,     [DT_SCHEDULE_ONE_CYCLE] = one_cycle,
};

double dt_schedule_rate(const dt_recipe_schedule *schedule, double lr, int64_t step, int64_t total) {
    if (step < schedule->warmup) return lr * ((double)(step + 1) / (double)schedule->warmup);
    int64_t s = step - schedule->warmup, n = total - schedule->warmup;
    double p = n > 1 ? (double)s / (double)(n - 1) : 0;
    return lr * shapes[schedule->kind](schedule, s, p < 1 ? p : 1);
}
