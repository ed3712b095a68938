#include "odds.h"

#include <math.h>

/* As a sum of logarithms: factors are near 1 where few of many steps are computed again. The shorter of two equal
 * products: C(n - r, w)/C(n, w) = C(n - w, r)/C(n, r). */
double dt_odds_of_chance(int64_t steps, int64_t again, int64_t wrong) {
    if (wrong <= 0 || again <= 0) return 0;
    if (again + wrong > steps) return 1;
    int64_t few = again < wrong ? again : wrong, many = again < wrong ? wrong : again;
    double missed = 0;
    for (int64_t i = 0; i < few; i++) missed += log1p(-(double)many / (double)(steps - i));
    return -expm1(missed);
}

double dt_odds_of_choice(int64_t intervals, int64_t drawn) {
    return intervals > 0 ? (double)drawn / (double)intervals : 0;
}
