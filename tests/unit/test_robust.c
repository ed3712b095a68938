/* Robust sums: right by their definition, and bounded against hostile sites where the mean is not. */
#include <math.h>
#include <string.h>

#include "../support/suite.h"
#include "base/random.h"
#include "site/robust.h"

enum { MOST = 40, COUNT_WORDS = 1000 };

typedef struct sites {
    int n;
    size_t count;
    uint32_t words[MOST][COUNT_WORDS];
    dt_change changes[MOST];
} sites;

static sites s;

static int32_t word(int site, size_t i) {
    return (int32_t)s.words[site][i];
}

/* n sites of words around a common direction, as those of sites whose data is alike: 2^20 of it, 2^18 of their own. */
static void begin(int n, size_t count, uint64_t seed) {
    s.n = n;
    s.count = count;
    for (int site = 0; site < n; site++) {
        for (size_t i = 0; i < count; i++) {
            double common[4], own[4];
            dt_stream_normal4(common, dt_stream_at(seed, DT_RANDOM_TEST, 0, 0), i, 0);
            dt_stream_normal4(own, dt_stream_at(seed, DT_RANDOM_TEST, 1, (uint64_t)site), i, 0);
            s.words[site][i] = (uint32_t)(int32_t)lrint(common[0] * 0x1p20 + own[0] * 0x1p18);
        }
        s.changes[site] = (dt_change){.site = site, .words = s.words[site], .weight = 1};
    }
}

static dt_robust read(const char *text) {
    dt_robust robust;
    assert_ok(dt_robust_read(&robust, text));
    return robust;
}

static uint64_t sum(const char *text, uint32_t *words, bool *counted) {
    dt_robust robust = read(text);
    uint64_t weight = 0;
    assert_ok(dt_robust_sum(&robust, s.changes, s.n, s.count, words, &weight, counted));
    return weight;
}

static int by_value(const void *left, const void *right) {
    const int32_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* The sum of a place without the `cut` least and largest, the plain way. */
static int64_t middle_of(size_t i, int cut) {
    int32_t sorted[MOST];
    int64_t all = 0;
    for (int site = 0; site < s.n; site++) sorted[site] = word(site, i);
    qsort(sorted, (size_t)s.n, sizeof *sorted, by_value);
    for (int site = cut; site < s.n - cut; site++) all += sorted[site];
    return all;
}

START_TEST(trimmed_sums_and_medians_are_those_of_sorted_words) {
    static const size_t counts[] = {1, 63, 64, 65, COUNT_WORDS};
    uint32_t words[COUNT_WORDS] = {0};
    bool counted[MOST];
    for (int n = 1; n <= MOST; n++) {
        begin(n, counts[n % COUNT(counts)], (uint64_t)n);
        for (size_t i = 0; i < s.count; i += 7) s.words[n / 2][i] = s.words[0][i]; /* equal ones */
        ck_assert_uint_eq(sum("median", words, counted), n % 2 ? 1 : 2);
        for (size_t i = 0; i < s.count; i++) ck_assert_int_eq((int32_t)words[i], middle_of(i, (n - 1) / 2));
        for (int f = 1; 2 * f < n; f += 3) {
            char text[32];
            snprintf(text, sizeof text, "trimmed(%d)", f);
            ck_assert_uint_eq(sum(text, words, counted), n - 2 * f);
            for (size_t i = 0; i < s.count; i++) ck_assert_int_eq((int32_t)words[i], middle_of(i, f));
            for (int site = 0; site < n; site++) ck_assert(counted[site]);
        }
    }
}
END_TEST

START_TEST(the_extremes_of_words_are_sorted_and_bounded) {
    static const int32_t values[] = {INT32_MIN, -1, INT32_MAX, 0, INT32_MIN, INT32_MAX, 1};
    uint32_t words[1];
    bool counted[MOST];
    begin(7, 1, 1);
    for (int site = 0; site < 7; site++) s.words[site][0] = (uint32_t)values[site];
    sum("median", words, counted);
    ck_assert_int_eq((int32_t)words[0], 0);
    ck_assert_uint_eq(sum("trimmed(2)", words, counted), 3);
    ck_assert_int_eq((int32_t)words[0], 0);
    for (int site = 0; site < 7; site++) s.words[site][0] = INT32_MAX;
    sum("trimmed(1)", words, counted); /* 5 of them do not fit, and do not wrap */
    ck_assert_int_eq((int32_t)words[0], INT32_MAX);
}
END_TEST

/* Krum by its definition, in long double, whose 64 bits hold these sums exactly or nearly. */
static int krum_of(int f) {
    int best = -1;
    long double least = 0;
    for (int i = 0; i < s.n; i++) {
        long double row[MOST], score = 0;
        int others = 0;
        for (int j = 0; j < s.n; j++) {
            if (j == i) continue;
            row[others] = 0;
            for (size_t k = 0; k < s.count; k++) {
                long double apart = (long double)word(i, k) - word(j, k);
                row[others] += apart * apart;
            }
            others++;
        }
        for (int k = 0; k < s.n - f - 2; k++) {
            int nearest = 0;
            for (int j = 1; j < others; j++) nearest = row[j] < row[nearest] ? j : nearest;
            score += row[nearest];
            row[nearest] = INFINITY;
        }
        if (best < 0 || score < least) {
            best = i;
            least = score;
        }
    }
    return best;
}

START_TEST(krum_chooses_by_its_definition) {
    uint32_t words[COUNT_WORDS] = {0};
    bool counted[MOST];
    for (int n = 5; n <= 25; n += 4)
        for (int f = 1; 2 * f + 3 <= n; f++) {
            char text[32];
            begin(n, 200, (uint64_t)(n * 100 + f));
            s.words[1][3] = 0x80000000U; /* differences beyond 32 bits */
            s.words[2][3] = 0x7fffffffU;
            int best = krum_of(f);
            snprintf(text, sizeof text, "krum(%d)", f);
            ck_assert_uint_eq(sum(text, words, counted), 1);
            for (int site = 0; site < n; site++) ck_assert(counted[site] == (site == best));
            ck_assert_mem_eq(words, s.words[best], s.count * sizeof *words);
            snprintf(text, sizeof text, "multi-krum(%d)", f);
            ck_assert_uint_eq(sum(text, words, counted), n - f - 2);
            ck_assert(counted[best]);
            for (size_t i = 0; i < s.count; i++) {
                uint32_t all = 0;
                for (int site = 0; site < n; site++) all += counted[site] ? s.words[site][i] : 0;
                ck_assert_uint_eq(words[i], all);
            }
        }
}
END_TEST

/* ---- hostile sites ---- */

enum { HONEST = 11, HOSTILE = 4, ALL = HONEST + HOSTILE };

static double honest_mean(size_t i) {
    double mean = 0;
    for (int site = 0; site < HONEST; site++) mean += (double)word(site, i) / HONEST;
    return mean;
}

static double honest_deviation(size_t i) {
    double all = 0, mean = honest_mean(i);
    for (int site = 0; site < HONEST; site++) all += ((double)word(site, i) - mean) * ((double)word(site, i) - mean);
    return sqrt(all / HONEST);
}

static int32_t limited(double value) {
    return (int32_t)fmin(fmax(value, INT32_MIN), INT32_MAX);
}

typedef enum attack {
    FLIPPED,
    THOUSAND,
    FLIPPED_THOUSAND,
    NOT_A_NUMBER,
    LARGEST,
    SCATTERED,
    COLLUDING,
    LITTLE,
    ATTACKS
} attack;

/* What hostile site number `which` sends at place i. */
static int32_t hostile_word(attack kind, int which, size_t i) {
    double mean = honest_mean(i);
    switch (kind) {
    case FLIPPED: return limited(-mean);
    case THOUSAND: return limited(1000 * mean);
    case FLIPPED_THOUSAND: return limited(-1000 * mean);
    case NOT_A_NUMBER: return INT32_MIN; /* what a conversion of NaN gives on x86; */
    case LARGEST: return INT32_MAX;      /* and one that saturates */
    case SCATTERED: return limited((i % 2 ? -0x1p30 : 0x1p30) / (which + 1));
    case COLLUDING: return limited(mean + 0x1p26);             /* all the same, so they are each other's nearest */
    default: return limited(mean - 1.5 * honest_deviation(i)); /* "a little is enough" (Baruch et al. 2019) */
    }
}

static void attack_with(attack kind) {
    begin(ALL, COUNT_WORDS, 77);
    for (int site = HONEST; site < ALL; site++)
        for (size_t i = 0; i < s.count; i++) s.words[site][i] = (uint32_t)hostile_word(kind, site - HONEST, i);
}

/* How far values are from the honest mean, in the largest distance of an honest site from it: norms over all places. */
static double distance_of(const double *values) {
    double apart = 0, worst = 0;
    for (int site = -1; site < HONEST; site++) {
        double norm = 0;
        for (size_t i = 0; i < s.count; i++) {
            double from_mean = (site < 0 ? values[i] : (double)word(site, i)) - honest_mean(i);
            norm += from_mean * from_mean;
        }
        if (site < 0) apart = sqrt(norm);
        worst = site < 0 ? 0 : fmax(worst, sqrt(norm));
    }
    return apart / worst;
}

static double error_of(const uint32_t *words, uint64_t weight) {
    double values[COUNT_WORDS] = {0};
    for (size_t i = 0; i < s.count; i++) values[i] = (double)(int32_t)words[i] / (double)weight;
    return distance_of(values);
}

static double error_of_mean(void) {
    double values[COUNT_WORDS] = {0};
    for (int site = 0; site < ALL; site++)
        for (size_t i = 0; i < s.count; i++) values[i] += (double)word(site, i) / ALL;
    return distance_of(values);
}

/* A control: what the attacks do to the mean. The last moves it by less than honest sites are apart, which is its
 * point. */
START_TEST(the_mean_follows_hostile_sites) {
    for (int kind = 0; kind < LITTLE; kind++) {
        attack_with((attack)kind);
        ck_assert_msg(error_of_mean() > (kind == FLIPPED ? 1.5 : 10), "attack %d: %g", kind, error_of_mean());
    }
}
END_TEST

START_TEST(robust_sums_stay_with_the_honest_sites) {
    static const char *const robust[] = {"trimmed(4)", "median", "krum(4)", "multi-krum(4)"};
    uint32_t words[COUNT_WORDS] = {0};
    bool counted[MOST];
    for (int kind = 0; kind < ATTACKS; kind++)
        for (int k = 0; k < COUNT(robust); k++) {
            attack_with((attack)kind);
            uint64_t weight = sum(robust[k], words, counted);
            double error = error_of(words, weight);
            ck_assert_msg(error <= 1.6, "attack %d on %s: %g", kind, robust[k], error);
            for (int site = HONEST; k >= 2 && kind < LITTLE && site < ALL; site++) ck_assert(!counted[site]);
        }
}
END_TEST

/* Of trimmed sums and medians more is known: they are between words of honest sites at every place. */
START_TEST(no_word_leaves_the_range_of_honest_ones) {
    uint32_t words[COUNT_WORDS] = {0};
    bool counted[MOST];
    for (int kind = 0; kind < ATTACKS; kind++)
        for (int median = 0; median < 2; median++) {
            attack_with((attack)kind);
            int64_t weight = (int64_t)sum(median ? "median" : "trimmed(4)", words, counted);
            for (size_t i = 0; i < s.count; i++) {
                int64_t least = INT32_MAX, most = INT32_MIN;
                for (int site = 0; site < HONEST; site++) {
                    least = word(site, i) < least ? word(site, i) : least;
                    most = word(site, i) > most ? word(site, i) : most;
                }
                ck_assert_int_ge((int32_t)words[i], weight * least);
                ck_assert_int_le((int32_t)words[i], weight * most);
            }
        }
}
END_TEST

/* What is promised for f is not for more: with one more than it stands, each is taken over. */
START_TEST(more_hostile_sites_than_said_are_not_stood) {
    uint32_t words[COUNT_WORDS] = {0};
    bool counted[MOST];
    attack_with(COLLUDING);
    ck_assert(error_of(words, sum("trimmed(3)", words, counted)) > 10);
    begin(ALL, COUNT_WORDS, 77);
    for (int site = 7; site < ALL; site++)
        for (size_t i = 0; i < s.count; i++) s.words[site][i] = 1U << 30;
    sum("median", words, counted);
    ck_assert_int_eq((int32_t)words[0], 1 << 30);
    sum("krum(6)", words, counted);
    ck_assert_int_eq((int32_t)words[0], 1 << 30);
}
END_TEST

/* A site's weight is its own word. */
START_TEST(a_claimed_weight_moves_nothing) {
    uint32_t words[COUNT_WORDS] = {0}, again[COUNT_WORDS];
    bool counted[MOST];
    attack_with(FLIPPED);
    uint64_t weight = sum("trimmed(4)", words, counted);
    s.changes[ALL - 1].weight = UINT64_MAX;
    ck_assert_uint_eq(sum("trimmed(4)", again, counted), weight);
    ck_assert_mem_eq(words, again, sizeof words);
}
END_TEST

/* The order of sites decides nothing but which of two equally good changes krum takes. */
START_TEST(sites_have_no_order) {
    static const char *const robust[] = {"trimmed(4)", "median", "krum(4)", "multi-krum(4)"};
    uint32_t words[COUNT_WORDS] = {0}, turned[COUNT_WORDS];
    bool counted[MOST];
    for (int k = 0; k < COUNT(robust); k++) {
        attack_with(SCATTERED);
        sum(robust[k], words, counted);
        for (int site = 0; site < ALL; site++) s.changes[site].words = s.words[ALL - 1 - site];
        sum(robust[k], turned, counted);
        ck_assert_mem_eq(words, turned, sizeof words);
    }
}
END_TEST

START_TEST(too_few_sites_are_refused_by_name) {
    static const struct {
        const char *text;
        int64_t sites;
        const char *says; /* NULL: it is enough */
    } cases[] = {{"none", 1, NULL},
                 {"median", 1, NULL},
                 {"trimmed(1)", 3, NULL},
                 {"trimmed(1)", 2, "trimmed(1) needs the changes of 3 sites or more, and there are 2"},
                 {"trimmed(5)", 10, "trimmed(5) needs the changes of 11 sites or more, and there are 10"},
                 {"krum(1)", 5, NULL},
                 {"krum(1)", 4, "krum(1) needs the changes of 5 sites or more, and there are 4"},
                 {"multi-krum(3)", 8, "multi-krum(3) needs the changes of 9 sites or more, and there are 8"},
                 {"trimmed(1000000000)", 10, "needs the changes of 2000000001 sites"}};
    for (int i = 0; i < COUNT(cases); i++) {
        dt_robust robust = read(cases[i].text);
        dt_status status = dt_robust_check(&robust, cases[i].sites);
        if (!cases[i].says) assert_ok(status);
        if (cases[i].says) ck_assert_msg(strstr(status.message, cases[i].says) != NULL, "%s", status.message);
    }
    begin(4, 10, 1);
    uint32_t words[10];
    uint64_t weight;
    bool counted[4];
    dt_robust robust = read("krum(1)");
    ck_assert_int_eq(dt_robust_sum(&robust, s.changes, 4, 10, words, &weight, counted).code, DT_ERR_INPUT);
}
END_TEST

START_TEST(rules_are_read_and_others_refused) {
    static const char *const wrong[] = {"",          "mean",   "trimmed", "trimmed(0)", "trimmed(0.5)", "trimmed(-1)",
                                        "median(1)", "krum()", "none(1)"};
    dt_robust robust = read("krum(2)");
    ck_assert(robust.kind == DT_ROBUST_KRUM && robust.f == 2);
    robust = read("multi-krum(3)");
    ck_assert(robust.kind == DT_ROBUST_MULTI_KRUM && robust.f == 3);
    robust = read("median");
    ck_assert(robust.kind == DT_ROBUST_MEDIAN && robust.f == 0);
    for (int i = 0; i < COUNT(wrong); i++) {
        dt_status status = dt_robust_read(&robust, wrong[i]);
        ck_assert_msg(status.code == DT_ERR_INPUT && strstr(status.message, "is not none, trimmed(f)"), "%s: %s",
                      wrong[i], status.message);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("robust");
    TCase *tests = tcase_create("robust");
    tcase_add_test(tests, trimmed_sums_and_medians_are_those_of_sorted_words);
    tcase_add_test(tests, the_extremes_of_words_are_sorted_and_bounded);
    tcase_add_test(tests, krum_chooses_by_its_definition);
    tcase_add_test(tests, the_mean_follows_hostile_sites);
    tcase_add_test(tests, robust_sums_stay_with_the_honest_sites);
    tcase_add_test(tests, no_word_leaves_the_range_of_honest_ones);
    tcase_add_test(tests, more_hostile_sites_than_said_are_not_stood);
    tcase_add_test(tests, a_claimed_weight_moves_nothing);
    tcase_add_test(tests, sites_have_no_order);
    tcase_add_test(tests, too_few_sites_are_refused_by_name);
    tcase_add_test(tests, rules_are_read_and_others_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
