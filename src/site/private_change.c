#include "site/private_change.h"

#include <math.h>

static double change_of(const dt_change_from *from, size_t at) {
    return (double)from->now[at] - (double)from->before[at];
}

double dt_change_factor(const dt_change_plan *plan, const dt_change_from *from, double clip) {
    double squares = 0; /* of float32 numbers, so it stays a number, and is exact to 2^-53 an element */
    for (int64_t i = 0; i < plan->unit_count; i++) {
        const dt_change_unit *unit = &plan->units[i];
        for (size_t at = unit->offset; at < unit->offset + unit->count; at++) {
            double change = change_of(from, at);
            squares += change * change;
        }
    }
    if (!isfinite(squares)) return 0;
    double norm = sqrt(squares);
    return norm > clip ? clip / norm : 1;
}

void dt_change_encode_private(const dt_change_plan *plan, const dt_change_from *from, double factor, int exponent,
                              int64_t first, int64_t end, uint32_t *words) {
    const double scale = ldexp(factor, exponent);
    for (int64_t i = first; i < end; i++) {
        const dt_change_unit *unit = &plan->units[i];
        for (size_t j = 0; j < unit->count; j++)
            words[unit->word + j] = factor > 0 ? (uint32_t)(int32_t)rint(change_of(from, unit->offset + j) * scale) : 0;
    }
}

double dt_change_rounding(double words) {
    return sqrt(words) / 2;
}

int64_t dt_shares_unknown(int64_t least, int64_t threshold) {
    int64_t unknown = least - (threshold - 1);
    return unknown > 1 ? unknown : 1;
}
