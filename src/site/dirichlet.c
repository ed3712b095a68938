/* Gamma variates by Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26, 2000, from
 * normal ones by Marsaglia's polar method, both by rejection: attempt n of a sample is block n of its stream, so that
 * nothing has to be carried from one to the next. Below 1 a shape is raised by one and the variate multiplied with
 * U^(1/alpha), which is far below the smallest double where alpha is small: so logarithms are what is computed with,
 * and shares come from their differences. */
#include "dirichlet.h"

#include <math.h>

#include "compute/elementary.h"

/* In (0, 1). */
static double unit_of(uint32_t word) {
    return ((double)word + 0.5) * 0x1p-32;
}

double dt_log_gamma_variate(dt_stream stream, uint64_t sample, double alpha) {
    const double shape = alpha < 1 ? alpha + 1 : alpha, d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (uint64_t block = 0;; block++) {
        uint32_t words[4];
        dt_stream_block(words, stream, sample, block);
        double a = 2 * unit_of(words[0]) - 1, b = 2 * unit_of(words[1]) - 1, s = a * a + b * b;
        if (s >= 1) continue; /* s is not 0: neither is a */
        double normal = a * sqrt(-2 * log_double(s) / s), root = 1 + c * normal;
        if (root <= 0) continue;
        double cube = root * root * root, log_cube = log_double(cube);
        if (log_double(unit_of(words[2])) >= 0.5 * normal * normal + d - d * cube + d * log_cube) continue;
        double raised = alpha < 1 ? log_double(unit_of(words[3])) / alpha : 0;
        return log_double(d) + log_cube + raised;
    }
}

void dt_dirichlet(double *shares, int64_t count, const unsigned char *closed, dt_stream stream, double alpha) {
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        shares[i] = closed && closed[i] ? -INFINITY : dt_log_gamma_variate(stream, (uint64_t)i, alpha);
        most = shares[i] > most ? shares[i] : most;
    }
    for (int64_t i = 0; i < count; i++) {
        shares[i] = closed && closed[i] ? 0 : exp_below(shares[i] - most);
        sum += shares[i];
    }
    for (int64_t i = 0; i < count; i++) shares[i] /= sum;
}
