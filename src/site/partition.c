/* Partitions of labels as in Hsu et al. 2019 (arXiv:1909.06335) and as NIID-Bench makes them (Li et al. 2022,
 * arXiv:2102.02079), whose accuracies others are compared with:
 * - dirichlet: class after class gets shares from Dir(A) over those sites that have less than an equal share of all
 *   samples so far, and all of it is drawn again until each site has ten samples;
 * - by-label: site i has class i modulo the number of classes, and further ones at random.
 * Two things differ from theirs. Every class has a site, also where there are more classes than sites: by-label
 * gives all classes out once before chance does. And which samples of a class a site gets follows from one permutation
 * of all samples, which is keyed and not stored.
 *
 * The order of work: pools (classes, or one of all samples) are drawn from one after the other, so that memory goes
 * with samples, sites and classes, and never with their products. */
#include "site/partition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "base/random.h"
#include "config/numbered.h"
#include "data/sampler.h"
#include "dirichlet.h"

/* Streams (a, b) of random numbers: (0, 0) is the permutation's, (draw, pool) that of shares, draws counted from 1. */
enum { FOR_CLASSES = 1 };

static const dt_numbered kinds[] = {[DT_PARTITION_IID] = {.name = "iid"},
                                    [DT_PARTITION_DIRICHLET] = {.name = "dirichlet", .sign = "A"},
                                    [DT_PARTITION_BY_LABEL] = {.name = "by-label", .sign = "K", .whole = true},
                                    [DT_PARTITION_QUANTITY] = {.name = "quantity", .sign = "A"},
                                    {.name = NULL}};

dt_status dt_partition_read(dt_partition *out, const char *text) {
    int kind = 0;
    DT_TRY(dt_numbered_read(kinds, text, &kind, &out->number));
    out->kind = (dt_partition_kind)kind;
    return dt_ok();
}

bool dt_partition_by_class(const dt_partition *partition) {
    return partition->kind == DT_PARTITION_DIRICHLET || partition->kind == DT_PARTITION_BY_LABEL;
}

/* What is dealt from: the samples in random order, pool after pool. */
typedef struct deal {
    const dt_partition *partition;
    int64_t sites, samples, pools, seed;
    int64_t *values;       /* by class: [pools] the labels, ascending */
    int64_t *order;        /* [samples] */
    int64_t *begin;        /* [pools + 1] pool p is order[begin[p] … begin[p + 1]) */
    int64_t *has;          /* [sites] samples so far */
    int32_t *site;         /* [samples] whose it is */
    double *shares;        /* [sites] */
    unsigned char *closed; /* [sites] */
    int64_t *holders;      /* [sites*K] by-label: the sites that have a class, class after class */
    int64_t *first_holder; /* [pools + 1] */
} deal;

static bool uses_shares(const deal *d) {
    return d->partition->kind == DT_PARTITION_DIRICHLET || d->partition->kind == DT_PARTITION_QUANTITY;
}

static int64_t pool_size(const deal *d, int64_t pool) {
    return d->begin[pool + 1] - d->begin[pool];
}

/* ---- how many of a pool each site gets ---- */

/* Site s gets what lies between the ends of s-1 and s, rounded down, of all shares up to theirs; the last gets the
 * rest. Gives what site s gets behind `from`. */
static int64_t cut_of(const deal *d, int64_t pool, int64_t s, double *sum, int64_t from) {
    *sum += d->shares[s];
    const int64_t size = pool_size(d, pool);
    int64_t end = s + 1 == d->sites ? size : (int64_t)floor(*sum * (double)size);
    end = end > size ? size : end;
    return end > from ? end - from : 0;
}

/* Shares of one pool, at draw number `draw`. */
static void draw_shares(deal *d, int64_t pool, int64_t draw) {
    for (int64_t s = 0; s < d->sites; s++) /* has/1 < samples/sites, without a division */
        d->closed[s] = (double)d->has[s] * (double)d->sites >= (double)d->samples;
    dt_stream stream = dt_stream_at((uint64_t)d->seed, DT_RANDOM_PARTITION, (uint64_t)draw, (uint64_t)pool);
    dt_dirichlet(d->shares, d->sites, d->closed, stream, d->partition->number);
}

/* Gives `count` samples of the pool from *next on to a site. */
static void give(deal *d, int64_t *next, int64_t count, int64_t s) {
    for (int64_t i = 0; i < count; i++) d->site[d->order[(*next)++]] = (int32_t)s;
    d->has[s] += count;
}

/* One draw of everything; whether each site has enough. */
static bool draw_all(deal *d, int64_t draw) {
    memset(d->has, 0, (size_t)d->sites * sizeof *d->has);
    for (int64_t pool = 0; pool < d->pools; pool++) {
        double sum = 0;
        int64_t next = d->begin[pool];
        draw_shares(d, pool, draw);
        for (int64_t s = 0; s < d->sites; s++) give(d, &next, cut_of(d, pool, s, &sum, next - d->begin[pool]), s);
        dt_alive();
    }
    for (int64_t s = 0; s < d->sites; s++)
        if (d->has[s] < DT_PARTITION_LEAST) return false;
    return true;
}

static dt_status deal_by_shares(deal *d) {
    if (d->samples / DT_PARTITION_LEAST < d->sites)
        return dt_fail(DT_ERR_INPUT,
                       "%lld samples are too few for %lld sites: with shares from a Dirichlet distribution "
                       "each must get at least %d",
                       (long long)d->samples, (long long)d->sites, DT_PARTITION_LEAST);
    for (int64_t draw = 1; draw <= DT_PARTITION_DRAWS; draw++)
        if (draw_all(d, draw)) return dt_ok();
    return dt_fail(
        DT_ERR_INPUT,
        "in %d draws from Dir(%.9g) there was none in which each of %lld sites got %d of %lld samples; take a "
        "larger number than %.9g, or fewer sites",
        DT_PARTITION_DRAWS, d->partition->number, (long long)d->sites, DT_PARTITION_LEAST, (long long)d->samples,
        d->partition->number);
}

/* ---- which classes a site has ---- */

/* The classes of a site, [each]: while there are classes that no site has, these; then some at random. */
static void choose_for(const deal *d, int64_t s, int64_t each, int64_t *classes) {
    int64_t count = 0;
    const int64_t first = s % d->pools;
    for (int64_t class = first; class < d->pools; class += d->sites) classes[count++] = class;
    uint32_t words[4];
    dt_stream_block(words, dt_stream_at((uint64_t)d->seed, DT_RANDOM_PARTITION, 0, FOR_CLASSES), (uint64_t)s, 0);
    int64_t key = (int64_t)((uint64_t)words[1] << 32 | words[0]);
    dt_permutation order = dt_permutation_of(d->pools, DT_RANDOM_PARTITION, key);
    for (int64_t i = 0; count < each; i++) {
        int64_t class = dt_permuted(&order, i);
        if (class % d->sites != first) classes[count++] = class; /* it has those already */
    }
}

/* The classes of all sites, turned round: of each class the sites that have it, ascending. */
static void turn_round(deal *d, const int64_t *classes, int64_t each) {
    for (int64_t i = 0; i < d->sites * each; i++) d->first_holder[classes[i] + 1]++;
    for (int64_t pool = 0; pool < d->pools; pool++) d->first_holder[pool + 1] += d->first_holder[pool];
    int64_t *filled = d->first_holder;
    for (int64_t i = 0; i < d->sites * each; i++) d->holders[filled[classes[i]]++] = i / each;
    for (int64_t pool = d->pools; pool > 0; pool--) filled[pool] = filled[pool - 1];
    filled[0] = 0;
}

static dt_status choose_classes(deal *d, int64_t each) {
    int64_t *classes = dt_alloc((size_t)(d->sites * each), sizeof *classes);
    if (!classes) return dt_fail_memory("the classes of sites", (size_t)(d->sites * each) * sizeof *classes);
    for (int64_t s = 0; s < d->sites; s++) choose_for(d, s, each, classes + s * each);
    turn_round(d, classes, each);
    dt_free(classes);
    return dt_ok();
}

static dt_status check_classes(const deal *d) {
    const double each = d->partition->number;
    if (each > (double)d->pools)
        return dt_fail(DT_ERR_INPUT, "by-label(%.0f) asks for %.0f classes a site, but the data has %lld", each, each,
                       (long long)d->pools);
    if (each * (double)d->sites < (double)d->pools)
        return dt_fail(DT_ERR_INPUT, "%lld sites of %.0f classes have no place for the %lld classes that there are",
                       (long long)d->sites, each, (long long)d->pools);
    return dt_ok();
}

static dt_status deal_by_class(deal *d) {
    DT_TRY(check_classes(d));
    const int64_t each = (int64_t)d->partition->number;
    d->holders = dt_alloc((size_t)(d->sites * each), sizeof *d->holders);
    d->first_holder = dt_alloc((size_t)d->pools + 1, sizeof *d->first_holder);
    if (!d->holders || !d->first_holder)
        return dt_fail_memory("the classes of sites", (size_t)(d->sites * each + d->pools) * sizeof *d->holders);
    DT_TRY(choose_classes(d, each));
    for (int64_t pool = 0; pool < d->pools; pool++) {
        const int64_t *holders = d->holders + d->first_holder[pool];
        int64_t count = d->first_holder[pool + 1] - d->first_holder[pool], next = d->begin[pool];
        if (pool_size(d, pool) < count)
            return dt_fail(DT_ERR_INPUT,
                           "there are %lld samples of label %lld, but %lld sites are to have some of them",
                           (long long)pool_size(d, pool), (long long)d->values[pool], (long long)count);
        for (int64_t i = 0; i < count; i++) {
            int64_t first, size;
            dt_shard_range(pool_size(d, pool), count, i, &first, &size);
            give(d, &next, size, holders[i]);
        }
    }
    return dt_ok();
}

static dt_status deal_evenly(deal *d) {
    int64_t next = 0, first, size;
    for (int64_t s = 0; s < d->sites; s++) {
        dt_shard_range(d->samples, d->sites, s, &first, &size);
        give(d, &next, size, s);
    }
    return dt_ok();
}

/* ---- the whole ---- */

static int by_value(const void *left, const void *right) {
    const int64_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* The different labels in ascending order, into d->values[d->pools]. */
static void number_labels(deal *d, const int64_t *labels) {
    memcpy(d->values, labels, (size_t)d->samples * sizeof *labels);
    qsort(d->values, (size_t)d->samples, sizeof *d->values, by_value);
    d->pools = 1;
    for (int64_t i = 1; i < d->samples; i++)
        if (d->values[i] != d->values[i - 1]) d->values[d->pools++] = d->values[i];
}

static int64_t pool_of(const deal *d, const int64_t *labels, int64_t sample) {
    if (d->pools == 1) return 0;
    const int64_t *at = bsearch(&labels[sample], d->values, (size_t)d->pools, sizeof *d->values, by_value);
    return at - d->values;
}

/* The samples in random order, and by it into their pools. */
static void fill_pools(deal *d, const int64_t *labels) {
    for (int64_t i = 0; i < d->samples; i++) d->begin[pool_of(d, labels, i) + 1]++;
    for (int64_t pool = 0; pool < d->pools; pool++) d->begin[pool + 1] += d->begin[pool];
    dt_permutation all = dt_permutation_of(d->samples, DT_RANDOM_PARTITION, d->seed);
    int64_t *filled = d->begin;
    for (int64_t i = 0; i < d->samples; i++) {
        int64_t sample = dt_permuted(&all, i);
        d->order[filled[pool_of(d, labels, sample)]++] = sample;
        if (i % 65536 == 0) dt_alive();
    }
    for (int64_t pool = d->pools; pool > 0; pool--) filled[pool] = filled[pool - 1];
    filled[0] = 0;
}

static dt_status take_memory(deal *d, dt_site_parts *out, bool by_class) {
    d->values = dt_alloc(by_class ? (size_t)d->samples : 1, sizeof *d->values);
    d->order = dt_alloc((size_t)d->samples, sizeof *d->order);
    d->begin = dt_alloc(by_class ? (size_t)d->samples + 1 : 2, sizeof *d->begin);
    d->has = dt_alloc((size_t)d->sites, sizeof *d->has);
    d->site = dt_alloc((size_t)d->samples, sizeof *d->site);
    d->shares = dt_alloc((size_t)d->sites, sizeof *d->shares);
    d->closed = dt_alloc((size_t)d->sites, sizeof *d->closed);
    out->rows = dt_alloc((size_t)d->samples, sizeof *out->rows);
    out->first = dt_alloc((size_t)d->sites + 1, sizeof *out->first);
    bool all = d->values && d->order && d->begin && d->has && d->site && d->shares && d->closed;
    if (all && out->rows && out->first) return dt_ok();
    return dt_fail_memory("a partition of the samples", (unsigned long long)d->samples * 40);
}

static dt_status deal_pools(deal *d, const int64_t *labels) {
    if (dt_partition_by_class(d->partition)) number_labels(d, labels);
    fill_pools(d, labels);
    if (uses_shares(d)) return deal_by_shares(d);
    return d->partition->kind == DT_PARTITION_BY_LABEL ? deal_by_class(d) : deal_evenly(d);
}

/* By what each has, and whose each sample is, the rows of each in ascending order. */
static void list_rows(const deal *d, dt_site_parts *out) {
    for (int64_t s = 0; s < d->sites; s++) out->first[s + 1] = out->first[s] + d->has[s];
    int64_t *filled = d->has;
    memcpy(filled, out->first, (size_t)d->sites * sizeof *filled);
    for (int64_t i = 0; i < d->samples; i++) out->rows[filled[d->site[i]]++] = i;
}

dt_status dt_parts_deal(dt_site_parts *out, const dt_partition *partition, int64_t sites, int64_t samples,
                        const int64_t *labels, int64_t seed) {
    memset(out, 0, sizeof *out);
    const bool by_class = dt_partition_by_class(partition);
    if (sites < 1 || sites > INT32_MAX) return dt_fail(DT_ERR_INPUT, "there cannot be %lld sites", (long long)sites);
    if (samples < sites)
        return dt_fail(DT_ERR_INPUT, "%lld samples are too few for %lld sites: each must get one", (long long)samples,
                       (long long)sites);
    if (by_class && !labels)
        return dt_fail(DT_ERR_INPUT, "%s deals by classes, and these samples have none", kinds[partition->kind].name);
    deal d = {.partition = partition, .sites = sites, .samples = samples, .pools = 1, .seed = seed};
    out->sites = sites;
    dt_status status = take_memory(&d, out, by_class);
    if (status.code == DT_OK) status = deal_pools(&d, labels);
    if (status.code == DT_OK) list_rows(&d, out);
    void *taken[] = {d.values, d.order, d.begin, d.has, d.site, d.shares, d.closed, d.holders, d.first_holder};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) dt_free(taken[i]);
    return status;
}

void dt_parts_finish(dt_site_parts *parts) {
    dt_free(parts->rows);
    dt_free(parts->first);
    memset(parts, 0, sizeof *parts);
}
