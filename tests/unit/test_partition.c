/* Samples dealt out to sites: properties of the deal as a function, and its shares against the theory. */
#include <math.h>
#include <string.h>

#include "../support/suite.h"
#include "site/dirichlet.h"
#include "site/partition.h"

enum { SAMPLES = 6000, CLASSES = 10, MOST_SITES = 100 };

static const char *const partitions[] = {"iid",         "dirichlet(0.5)", "dirichlet(100)",
                                         "by-label(2)", "by-label(10)",   "quantity(0.5)"};

/* Classes of different sizes, in an order without a pattern that sites could follow. */
static void label(int64_t classes[SAMPLES]) {
    for (int i = 0; i < SAMPLES; i++) {
        int drawn = (int)((unsigned)i * 2654435761U >> 8) % 11;
        classes[i] = drawn == 10 ? 3 : drawn;
    }
}

static dt_partition read(const char *text) {
    dt_partition partition = {.number = -1};
    assert_ok(dt_partition_read(&partition, text));
    return partition;
}

static dt_site_parts deal(const char *text, int64_t sites, int64_t seed) {
    static int64_t classes[SAMPLES];
    label(classes);
    dt_partition partition = read(text);
    dt_site_parts parts;
    assert_ok(dt_parts_deal(&parts, &partition, sites, SAMPLES, classes, seed));
    return parts;
}

static int64_t size_of(const dt_site_parts *parts, int64_t s) {
    return parts->first[s + 1] - parts->first[s];
}

/* counts[s][c]: samples of class c at site s. */
static void count(const dt_site_parts *parts, int64_t counts[MOST_SITES][CLASSES]) {
    int64_t classes[SAMPLES];
    label(classes);
    memset(counts, 0, sizeof(int64_t[MOST_SITES][CLASSES]));
    for (int64_t s = 0; s < parts->sites; s++)
        for (int64_t i = parts->first[s]; i < parts->first[s + 1]; i++) counts[s][classes[parts->rows[i]]]++;
}

START_TEST(every_sample_is_in_one_site_and_sites_are_in_order) {
    static const int64_t sites[] = {1, 2, 5, 7, 100};
    for (int k = 0; k < COUNT(partitions); k++)
        for (int n = 0; n < COUNT(sites); n++) {
            if (sites[n] < 5 && strcmp(partitions[k], "by-label(2)") == 0) continue;      /* no place for all labels */
            if (sites[n] == 100 && strcmp(partitions[k], "quantity(0.5)") == 0) continue; /* some would have none */
            dt_site_parts parts = deal(partitions[k], sites[n], 1 + n);
            bool seen[SAMPLES] = {false};
            ck_assert_int_eq(parts.first[0], 0);
            ck_assert_int_eq(parts.first[sites[n]], SAMPLES);
            for (int64_t s = 0; s < sites[n]; s++) {
                ck_assert_int_gt(size_of(&parts, s), 0);
                for (int64_t i = parts.first[s]; i < parts.first[s + 1]; i++) {
                    ck_assert(i == parts.first[s] || parts.rows[i] > parts.rows[i - 1]);
                    ck_assert(parts.rows[i] >= 0 && parts.rows[i] < SAMPLES && !seen[parts.rows[i]]);
                    seen[parts.rows[i]] = true;
                }
            }
            dt_parts_finish(&parts);
        }
}
END_TEST

START_TEST(identically_distributed_sites_have_as_many_of_everything) {
    int64_t counts[MOST_SITES][CLASSES];
    for (int64_t seed = 1; seed <= 20; seed++) {
        dt_site_parts parts = deal("iid", 7, seed);
        count(&parts, counts);
        for (int s = 0; s < 7; s++) {
            ck_assert(size_of(&parts, s) == SAMPLES / 7 || size_of(&parts, s) == SAMPLES / 7 + 1);
            for (int c = 0; c < CLASSES; c++) { /* hypergeometric; 6 standard deviations */
                double mean = 0;
                for (int other = 0; other < 7; other++) mean += (double)counts[other][c] / 7;
                ck_assert_double_eq_tol((double)counts[s][c], mean, 6 * sqrt(mean * 6 / 7));
            }
        }
        dt_parts_finish(&parts);
    }
}
END_TEST

/* Medians of Gamma(1/2) (half a squared normal), Gamma(1) and Gamma(3). */
START_TEST(gamma_variates_have_their_median_and_moments) {
    static const double alphas[] = {0.5, 1, 3}, medians[] = {0.22746821155978637, 0.6931471805599453, 2.674060313712};
    enum { DRAWS = 40000 };
    for (int a = 0; a < COUNT(alphas); a++) {
        double below = 0, sum = 0, squares = 0;
        for (uint64_t i = 0; i < DRAWS; i++) {
            double x =
                exp(dt_log_gamma_variate(dt_stream_at(1, DT_RANDOM_PARTITION, (uint64_t)a + 1, 0), i, alphas[a]));
            below += x < medians[a];
            sum += x;
            squares += (x - alphas[a]) * (x - alphas[a]);
        }
        double fourth = 3 * alphas[a] * alphas[a] + 6 * alphas[a]; /* central moment */
        ck_assert_double_eq_tol(below / DRAWS, 0.5, 5 * 0.5 / sqrt(DRAWS));
        ck_assert_double_eq_tol(sum / DRAWS, alphas[a], 5 * sqrt(alphas[a] / DRAWS));
        ck_assert_double_eq_tol(squares / DRAWS, alphas[a], 5 * sqrt((fourth - alphas[a] * alphas[a]) / DRAWS));
    }
}
END_TEST

/* A share is Beta(alpha, (n-1) alpha): mean 1/n, variance (n-1)/(n² (n alpha + 1)). Tiny alphas give all to one. */
START_TEST(dirichlet_shares_have_their_mean_and_variance) {
    static const double alphas[] = {0.001, 0.1, 0.5, 1, 10, 1000};
    enum { DRAWS = 20000, N = 6 };
    static const unsigned char closed[N + 2] = {0, 0, 1, 0, 0, 0, 0, 1};
    for (int a = 0; a < COUNT(alphas); a++) {
        double sum = 0, squares = 0, shares[N + 2];
        for (uint64_t i = 0; i < DRAWS; i++) {
            dt_dirichlet(shares, N + 2, closed, dt_stream_at(2, DT_RANDOM_PARTITION, i + 1, (uint64_t)a), alphas[a]);
            double whole = 0;
            for (int s = 0; s < N + 2; s++) whole += shares[s];
            ck_assert_double_eq_tol(whole, 1, 1e-12);
            ck_assert(shares[2] == 0 && shares[7] == 0);
            sum += shares[1];
            squares += (shares[1] - 1.0 / N) * (shares[1] - 1.0 / N);
        }
        double variance = (N - 1.0) / (N * N * (N * alphas[a] + 1));
        ck_assert_double_eq_tol(sum / DRAWS, 1.0 / N, 5 * sqrt(variance / DRAWS));
        ck_assert_double_eq_tol(squares / DRAWS / variance, 1, 0.1);
    }
}
END_TEST

/* The class that is dealt first is a plain Dirichlet draw (later ones pass over sites that are full). */
START_TEST(shares_of_a_class_vary_as_the_theory_says) {
    enum { SEEDS = 400, SITES = 5 };
    int64_t counts[MOST_SITES][CLASSES];
    double sum = 0, squares = 0;
    for (int64_t seed = 0; seed < SEEDS; seed++) {
        dt_site_parts parts = deal("dirichlet(0.5)", SITES, seed);
        count(&parts, counts);
        double all = 0;
        for (int s = 0; s < SITES; s++) all += (double)counts[s][0];
        double share = (double)counts[seed % SITES][0] / all;
        sum += share;
        squares += (share - 1.0 / SITES) * (share - 1.0 / SITES);
        dt_parts_finish(&parts);
    }
    double variance = (SITES - 1.0) / (SITES * SITES * (SITES * 0.5 + 1));
    ck_assert_double_eq_tol(sum / SEEDS, 1.0 / SITES, 5 * sqrt(variance / SEEDS));
    ck_assert_double_eq_tol(squares / SEEDS / variance, 1, 0.3);
}
END_TEST

/* The law of NIID-Bench's published deals: classes one after the other, of which sites that have their N/n get nothing,
 * and all anew until every site has ten. Means and deviations are those of 20000 deals of 10 classes of 200 to 10 sites
 * by NumPy, for which the rule was written down once more. */
START_TEST(deals_have_the_law_of_niid_bench) {
    enum { DEALS = 500, SITES = 10, EACH = 200, FIGURES = 5 };
    static const struct {
        const char *partition;
        double mean[FIGURES], deviation[FIGURES]; /* of the largest site, the smallest, the deviation of their sizes, */
    } rows[] = {
        /* of pairs of a site and a class it has nothing of, and of the largest such pair */
        {"dirichlet(0.5)", {278.713, 108.496, 49.363, 19.854, 131.345}, {28.663, 27.519, 12.738, 4.086, 22.761}},
        {"dirichlet(0.1)", {331.336, 50.322, 85.730, 55.481, 193.197}, {34.367, 29.832, 17.969, 4.324, 8.670}}};
    int64_t classes[SITES * EACH];
    for (int64_t i = 0; i < SITES * EACH; i++) classes[i] = i * 7 % CLASSES;
    for (int row = 0; row < COUNT(rows); row++) {
        double sum[FIGURES] = {0};
        dt_partition partition = read(rows[row].partition);
        for (int64_t seed = 0; seed < DEALS; seed++) {
            dt_site_parts parts;
            int64_t pair[SITES][CLASSES] = {{0}}, sizes[SITES], most = 0, least = SITES * EACH, none = 0, largest = 0;
            double squares = 0;
            assert_ok(dt_parts_deal(&parts, &partition, SITES, SITES * EACH, classes, seed));
            for (int s = 0; s < SITES; s++) {
                sizes[s] = size_of(&parts, s);
                for (int64_t i = parts.first[s]; i < parts.first[s + 1]; i++) pair[s][classes[parts.rows[i]]]++;
                for (int c = 0; c < CLASSES; c++) {
                    none += pair[s][c] == 0;
                    largest = pair[s][c] > largest ? pair[s][c] : largest;
                }
                most = sizes[s] > most ? sizes[s] : most;
                least = sizes[s] < least ? sizes[s] : least;
                squares += (double)((sizes[s] - EACH) * (sizes[s] - EACH));
            }
            const double figures[] = {(double)most, (double)least, sqrt(squares / SITES), (double)none,
                                      (double)largest};
            for (int i = 0; i < FIGURES; i++) sum[i] += figures[i] / DEALS;
            dt_parts_finish(&parts);
        }
        for (int i = 0; i < FIGURES; i++)
            ck_assert_double_eq_tol(sum[i], rows[row].mean[i], 4 * rows[row].deviation[i] / sqrt(DEALS));
    }
}
END_TEST

START_TEST(no_site_is_left_with_a_handful) {
    for (int64_t seed = 0; seed < 100; seed++)
        for (int quantity = 0; quantity < 2; quantity++) {
            dt_site_parts parts = deal(quantity ? "quantity(0.5)" : "dirichlet(0.1)", 10, seed);
            for (int s = 0; s < 10; s++) ck_assert_int_ge(size_of(&parts, s), DT_PARTITION_LEAST);
            dt_parts_finish(&parts);
        }
}
END_TEST

START_TEST(a_site_has_as_many_labels_as_asked_for_and_every_label_a_site) {
    static const struct {
        const char *text;
        int64_t sites;
        int labels;
    } cases[] = {{"by-label(1)", 10, 1}, {"by-label(2)", 10, 2}, {"by-label(2)", 5, 2},   {"by-label(3)", 4, 3},
                 {"by-label(3)", 10, 3}, {"by-label(7)", 3, 7},  {"by-label(10)", 2, 10}, {"by-label(2)", 100, 2}};
    int64_t counts[MOST_SITES][CLASSES];
    for (int i = 0; i < COUNT(cases); i++)
        for (int64_t seed = 0; seed < 20; seed++) {
            dt_site_parts parts = deal(cases[i].text, cases[i].sites, seed);
            count(&parts, counts);
            for (int s = 0; s < cases[i].sites; s++) {
                int labels = 0;
                for (int c = 0; c < CLASSES; c++) labels += counts[s][c] > 0;
                ck_assert_int_eq(labels, cases[i].labels);
            }
            for (int c = 0; c < CLASSES; c++) { /* in equal parts */
                int64_t least = SAMPLES, most = 0;
                for (int s = 0; s < cases[i].sites; s++) {
                    if (counts[s][c] == 0) continue;
                    least = counts[s][c] < least ? counts[s][c] : least;
                    most = counts[s][c] > most ? counts[s][c] : most;
                }
                ck_assert(most > 0 && most - least <= 1);
            }
            dt_parts_finish(&parts);
        }
}
END_TEST

START_TEST(another_seed_is_another_deal) {
    for (int k = 0; k < COUNT(partitions); k++) {
        dt_site_parts one = deal(partitions[k], 10, 1), again = deal(partitions[k], 10, 1),
                      other = deal(partitions[k], 10, 2);
        ck_assert_mem_eq(one.rows, again.rows, SAMPLES * sizeof *one.rows);
        ck_assert_mem_eq(one.first, again.first, 11 * sizeof *one.first);
        ck_assert(memcmp(one.rows, other.rows, SAMPLES * sizeof *one.rows) != 0);
        dt_parts_finish(&one);
        dt_parts_finish(&again);
        dt_parts_finish(&other);
    }
}
END_TEST

static uint64_t hash_of(const dt_site_parts *parts) { /* FNV-1a */
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int64_t s = 0; s < parts->sites; s++)
        for (int64_t i = parts->first[s]; i < parts->first[s + 1]; i++)
            hash = (hash ^ ((uint64_t)s << 32 | (uint64_t)parts->rows[i])) * UINT64_C(0x100000001b3);
    return hash;
}

/* What a recipe and its seed gave once they give for ever, on every machine. */
START_TEST(a_deal_is_the_same_in_every_version) {
    static const uint64_t golden[COUNT(partitions)] = {UINT64_C(0x6e046fa7cea6e441), UINT64_C(0x655f9e47b5db0a21),
                                                       UINT64_C(0xf775c59204322a63), UINT64_C(0xe921ee7c13cbfa97),
                                                       UINT64_C(0xb691f40b5b0100ff), UINT64_C(0x54977d666bc9e0ad)};
    for (int k = 0; k < COUNT(partitions); k++) {
        dt_site_parts parts = deal(partitions[k], 10, 1);
        ck_assert_msg(hash_of(&parts) == golden[k], "%s gives %016llx", partitions[k],
                      (unsigned long long)hash_of(&parts));
        dt_parts_finish(&parts);
    }
}
END_TEST

START_TEST(what_cannot_be_dealt_is_refused_by_name) {
    static const struct {
        const char *text, *says;
        int64_t sites, samples, classes;
    } cases[] = {{"iid", "there cannot be 0 sites", 0, 100, 2},
                 {"iid", "there cannot be -1 sites", -1, 100, 2},
                 {"iid", "5 samples are too few for 6 sites: each must get one", 6, 5, 2},
                 {"dirichlet(1)", "99 samples are too few for 10 sites", 10, 99, 2},
                 {"quantity(1)", "99 samples are too few for 10 sites", 10, 99, 2},
                 {"dirichlet(0.001)", "there was none in which each of 10 sites got 10 of 100 samples", 10, 100, 2},
                 {"dirichlet(1)", "dirichlet deals by classes, and these samples have none", 2, 100, 0},
                 {"by-label(1)", "by-label deals by classes, and these samples have none", 2, 100, 0},
                 {"by-label(3)", "asks for 3 classes a site, but the data has 2", 5, 100, 2},
                 {"by-label(1)", "3 sites of 1 classes have no place for the 4 classes", 3, 100, 4},
                 {"by-label(1)", "there are 1 samples of label 0, but 50 sites are to have some of them", 100, 101, 2}};
    int64_t classes[101];
    for (int i = 0; i < COUNT(cases); i++) {
        bool scarce = strstr(cases[i].says, "samples of label") != NULL;
        for (int64_t sample = 0; sample < 101; sample++)
            classes[sample] = scarce ? sample > 0 : cases[i].classes > 0 ? (int64_t)(sample % cases[i].classes) : 0;
        dt_partition partition = read(cases[i].text);
        dt_site_parts parts;
        dt_status status = dt_parts_deal(&parts, &partition, cases[i].sites, cases[i].samples,
                                         cases[i].classes > 0 ? classes : NULL, 1);
        ck_assert_int_eq(status.code, DT_ERR_INPUT);
        ck_assert_msg(strstr(status.message, cases[i].says) != NULL, "%s: %s", cases[i].text, status.message);
        dt_parts_finish(&parts);
    }
}
END_TEST

/* Labels are any integers: their order decides, not their values. */
START_TEST(labels_need_not_be_class_numbers) {
    enum { N = 300 };
    static const int64_t values[] = {INT64_MIN, -7, 0, 255, INT64_MAX};
    int64_t numbers[N], labels[N];
    for (int i = 0; i < N; i++) {
        numbers[i] = i * 7 % 5;
        labels[i] = values[numbers[i]];
    }
    for (int k = 0; k < 2; k++) {
        dt_partition partition = read(k ? "dirichlet(1)" : "by-label(2)");
        dt_site_parts one, other;
        assert_ok(dt_parts_deal(&one, &partition, 5, N, numbers, 1));
        assert_ok(dt_parts_deal(&other, &partition, 5, N, labels, 1));
        ck_assert_mem_eq(one.rows, other.rows, sizeof labels);
        ck_assert_mem_eq(one.first, other.first, 6 * sizeof *one.first);
        dt_parts_finish(&one);
        dt_parts_finish(&other);
    }
}
END_TEST

START_TEST(partitions_are_read_and_others_refused) {
    static const char *const wrong[] = {"",
                                        "IID",
                                        "iid(2)",
                                        "dirichlet",
                                        "dirichlet()",
                                        "dirichlet(0)",
                                        "dirichlet(-1)",
                                        "dirichlet(nan)",
                                        "dirichlet(inf)",
                                        "dirichlet(1e999)",
                                        "dirichlet(0x1)",
                                        "dirichlet(1",
                                        "dirichlet(1)x",
                                        "dirichlet( 1)",
                                        "by-label(1.5)",
                                        "by-label(0)",
                                        "by-label(2,3)",
                                        "by-label(99999999999)",
                                        "quantity",
                                        "\033[31miid"};
    dt_partition partition = read("dirichlet(5e-1)");
    ck_assert(partition.kind == DT_PARTITION_DIRICHLET && partition.number == 0.5 && dt_partition_by_class(&partition));
    partition = read("iid");
    ck_assert(partition.kind == DT_PARTITION_IID && partition.number == 0 && !dt_partition_by_class(&partition));
    partition = read("by-label(3)");
    ck_assert(partition.kind == DT_PARTITION_BY_LABEL && partition.number == 3);
    for (int i = 0; i < COUNT(wrong); i++) {
        dt_status status = dt_partition_read(&partition, wrong[i]);
        ck_assert_msg(status.code == DT_ERR_INPUT, "\"%s\" is taken", wrong[i]);
        ck_assert_msg(strstr(status.message,
                             "is not iid, dirichlet(A), A above 0, by-label(K), K a whole number from 1 on "
                             "or quantity(A), A above 0") != NULL,
                      "%s", status.message);
        ck_assert(strchr(status.message, '\033') == NULL);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("partition");
    TCase *tests = tcase_create("partition");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_sample_is_in_one_site_and_sites_are_in_order);
    tcase_add_test(tests, identically_distributed_sites_have_as_many_of_everything);
    tcase_add_test(tests, gamma_variates_have_their_median_and_moments);
    tcase_add_test(tests, dirichlet_shares_have_their_mean_and_variance);
    tcase_add_test(tests, shares_of_a_class_vary_as_the_theory_says);
    tcase_add_test(tests, deals_have_the_law_of_niid_bench);
    tcase_add_test(tests, no_site_is_left_with_a_handful);
    tcase_add_test(tests, a_site_has_as_many_labels_as_asked_for_and_every_label_a_site);
    tcase_add_test(tests, another_seed_is_another_deal);
    tcase_add_test(tests, a_deal_is_the_same_in_every_version);
    tcase_add_test(tests, what_cannot_be_dealt_is_refused_by_name);
    tcase_add_test(tests, labels_need_not_be_class_numbers);
    tcase_add_test(tests, partitions_are_read_and_others_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
