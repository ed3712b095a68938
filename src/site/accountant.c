/* RDP of the sampled Gaussian mechanism, in logarithms throughout: at order α, with sampling rate q and noise σ, it is
 * log A/(α - 1), A = E over z ~ N(0, σ²) of ((1 - q) + q exp((2z - 1)/(2σ²)))^α. */
#include "accountant.h"

#include <math.h>
#include <stdbool.h>

/* log(exp(a) + exp(b)) */
static double log_add(double a, double b) {
    double more = fmax(a, b), less = fmin(a, b);
    return less == -INFINITY ? more : more + log1p(exp(less - more));
}

/* log(exp(a) - exp(b)), a >= b but for rounding */
static double log_subtract(double a, double b) {
    if (b == -INFINITY) return a;
    return a <= b ? -INFINITY : a + log1p(-exp(b - a));
}

/* Whole orders: the binomial expansion, all of whose terms are positive. */
static double log_a_whole(double q, double sigma, int order) {
    double sum = -INFINITY;
    for (int i = 0; i <= order; i++) {
        double chosen = lgamma(order + 1.0) - lgamma(i + 1.0) - lgamma(order - i + 1.0);
        double term = chosen + i * log(q) + (order - i) * log1p(-q);
        sum = log_add(sum, term + ((double)i * i - i) / (2 * sigma * sigma));
    }
    return sum;
}

/* log erfc(x), also where erfc is too small for a double: its asymptotic series. */
static double log_erfc(double x) {
    if (x < 25) return log(erfc(x));
    double r = 1 / (x * x);
    return -log(M_PI) / 2 - log(x) - x * x - r / 2 + 0.625 * r * r - 37.0 / 24 * r * r * r + 353.0 / 64 * r * r * r * r;
}

/* Other orders: the expectation is cut where both summands are equal, z0, and each side expanded in powers of the
 * smaller one. Signs of the binomial coefficients alternate from the order on. */
static double log_a_fraction(double q, double sigma, double order) {
    double left = -INFINITY, right = -INFINITY, z0 = sigma * sigma * log(1 / q - 1) + 0.5;
    double coefficient = 0; /* log |binomial(order, i)| */
    bool positive = true;
    for (int i = 0;; i++) {
        double j = order - i, twice = 2 * sigma * sigma, root = M_SQRT2 * sigma;
        double s0 = coefficient + i * log(q) + j * log1p(-q) + ((double)i * i - i) / twice;
        double s1 = coefficient + j * log(q) + i * log1p(-q) + (j * j - j) / twice;
        s0 += log(0.5) + log_erfc((i - z0) / root);
        s1 += log(0.5) + log_erfc((z0 - j) / root);
        left = positive ? log_add(left, s0) : log_subtract(left, s0);
        right = positive ? log_add(right, s1) : log_subtract(right, s1);
        if (i > order && fmax(s0, s1) < -36 + log_add(left, right)) return log_add(left, right);
        coefficient += log(fabs(order - i)) - log(i + 1.0);
        if (order < i) positive = !positive;
    }
}

double dt_rdp(double rate, double noise, double order) {
    if (rate == 0) return 0;
    if (noise == 0) return INFINITY;
    if (rate == 1) return order / (2 * noise * noise);
    bool whole = order == floor(order);
    double log_a = whole ? log_a_whole(rate, noise, (int)order) : log_a_fraction(rate, noise, order);
    return fmax(0, log_a / (order - 1));
}

double dt_rdp_epsilon(double rdp, double order, double delta) {
    double epsilon = rdp + log1p(-1 / order) - log(delta * order) / (order - 1);
    return fmax(0, epsilon);
}

double dt_rdp_order(int i) {
    static const double large[] = {72, 96, 128, 256, 512, 1024};
    if (i < 99) return (11 + i) / 10.0;
    return i < 99 + 52 ? 12 + (i - 99) : large[i - 99 - 52];
}

dt_status dt_spend(dt_spent *spent, double rate, double noise) {
    int at = 0;
    while (at + 1 < DT_MECHANISMS && spent->of[at + 1].steps > 0) at++;
    dt_mechanism *last = &spent->of[at];
    if (last->steps > 0 && (last->rate != rate || last->noise != noise)) {
        if (at + 1 == DT_MECHANISMS)
            return dt_fail(DT_ERR_INPUT,
                           "privacy: this run has changed its noise or its sampling rate %d times; what it spent "
                           "is kept of so many",
                           DT_MECHANISMS);
        last++;
    }
    *last = (dt_mechanism){rate, noise, last->steps + 1};
    return dt_ok();
}

dt_status dt_spent_check(const dt_spent *spent) {
    bool ended = false;
    for (int i = 0; i < DT_MECHANISMS; i++) {
        const dt_mechanism *m = &spent->of[i];
        bool unused = m->rate == 0 && m->noise == 0 && m->steps == 0;
        bool sound = m->rate > 0 && m->rate <= 1 && m->noise >= 0 && isfinite(m->noise) && m->steps >= 1 &&
                     m->steps <= 0x1p53 && m->steps == floor(m->steps);
        if (unused ? false : !sound || ended)
            return dt_fail(DT_ERR_CORRUPT,
                           "what it has spent of its privacy makes no sense: %g steps of rate %g, noise %g", m->steps,
                           m->rate, m->noise);
        ended = ended || unused;
    }
    return dt_ok();
}

/* ---- all orders ---- */

static void rdp_of(const dt_spent *spent, double *rdp) {
    for (int i = 0; i < DT_RDP_ORDERS; i++) {
        rdp[i] = 0;
        for (int j = 0; j < DT_MECHANISMS && spent->of[j].steps > 0; j++)
            rdp[i] += spent->of[j].steps * dt_rdp(spent->of[j].rate, spent->of[j].noise, dt_rdp_order(i));
    }
}

/* Of `rdp` and so many steps of `step`. */
static double least(const double *rdp, const double *step, double steps, double delta) {
    double epsilon = INFINITY;
    for (int i = 0; i < DT_RDP_ORDERS; i++) {
        double all = rdp[i] + (steps > 0 ? steps * step[i] : 0);
        if (all == 0) return 0;
        epsilon = fmin(epsilon, dt_rdp_epsilon(all, dt_rdp_order(i), delta));
    }
    return epsilon;
}

double dt_epsilon(const dt_spent *spent, double delta) {
    double rdp[DT_RDP_ORDERS];
    rdp_of(spent, rdp);
    return least(rdp, rdp, 0, delta);
}

int64_t dt_steps_within(const dt_spent *spent, double rate, double noise, double delta, double limit, int64_t most) {
    double rdp[DT_RDP_ORDERS], step[DT_RDP_ORDERS];
    rdp_of(spent, rdp);
    for (int i = 0; i < DT_RDP_ORDERS; i++) step[i] = dt_rdp(rate, noise, dt_rdp_order(i));
    int64_t fits = 0, too_many = most + 1;
    while (too_many - fits > 1) { /* ε grows with the steps */
        int64_t middle = fits + (too_many - fits) / 2;
        if (least(rdp, step, (double)middle, delta) <= limit)
            fits = middle;
        else
            too_many = middle;
    }
    return fits;
}
