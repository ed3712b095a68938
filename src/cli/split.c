/* dtrain split: a file of training data as one file for each of several sites. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli.h"
#include "site/split.h"

#define SHOWN_SITES 20

const char dt_usage_split[] =
    "usage: dtrain split DATA.h5 --sites N --partition P [--seed S] [--by DATASET] -o DIR\n"
    "\n"
    "Deals the training samples of a file out to N sites: DIR/site-0.h5, site-1.h5, … appear together or not at all. "
    "To\n"
    "rehearse how a model learns where each site has data of its own kind; dtrain train makes the same parts itself "
    "from\n"
    "sites.simulate and sites.partition.\n"
    "\n"
    "  --partition iid            at random, as many to each\n"
    "  --partition dirichlet(A)   of every class, shares from the Dirichlet distribution: the smaller A, the more "
    "unlike\n"
    "  --partition by-label(K)    K classes to each site\n"
    "  --partition quantity(A)    at random, how many from the Dirichlet distribution\n"
    "  --seed S                   of what is drawn (default: 1)\n"
    "  --by DATASET               the labels (default: /train/y); without classes any dataset of a row for each "
    "sample.\n"
    "                             Its rows are dealt, and those of all in its group that have as many; the rest, such "
    "as\n"
    "                             test data, is in every file\n"
    "\n"
    "Samples keep their order, datasets their type and attributes. Files are not compressed.\n"
    "\n"
    "Example:\n"
    "  dtrain split data/fashion-mnist.h5 --sites 10 --partition 'dirichlet(0.5)' -o sites\n";

/* "12"; a whole number from `least` on. */
static dt_status parse_whole(const char *option, const char *text, int64_t least, int64_t most, int64_t *out) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < least || value > most)
        return dt_fail(DT_ERR_USAGE, "%s is \"%s\"; it must be a whole number from %lld to %lld", option, text,
                       (long long)least, (long long)most);
    *out = value;
    return dt_ok();
}

/* An option with a value at argv[*at], if it is one of ours. */
static dt_status take_option(dt_site_split *split, int argc, char **argv, int *at) {
    dt_status status = dt_ok();
    const char *value;
    if ((value = dt_cli_option(argc, argv, at, "--sites", &status)) != NULL)
        return parse_whole("--sites", value, 1, 100000, &split->sites);
    DT_TRY(status);
    if ((value = dt_cli_option(argc, argv, at, "--seed", &status)) != NULL)
        return parse_whole("--seed", value, 0, INT64_MAX, &split->seed);
    DT_TRY(status);
    if ((value = dt_cli_option(argc, argv, at, "--partition", &status)) != NULL)
        split->partition = value;
    else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, at, "--by", &status)) != NULL)
        split->by = value;
    else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, at, "-o", &status)) != NULL)
        split->destination = value;
    else if (status.code == DT_OK)
        status = dt_fail(DT_ERR_USAGE, "split has no option %s (see dtrain split --help)", argv[*at]);
    return status;
}

static dt_status parse_arguments(dt_site_split *split, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            DT_TRY(take_option(split, argc, argv, &i));
        else if (split->data)
            return dt_fail(DT_ERR_USAGE, "split takes one file, and is given %s and %s", split->data, argv[i]);
        else
            split->data = argv[i];
    }
    if (!split->data || !split->destination || split->sites == 0 || !split->partition)
        return dt_fail(DT_ERR_USAGE,
                       "split needs DATA.h5, --sites N, --partition P and -o DIR (see dtrain split --help)");
    if (split->by[0] != '/' || split->by[1] == '\0')
        return dt_fail(DT_ERR_USAGE, "--by is \"%s\"; it must be the path of a dataset, as /train/y", split->by);
    return dt_ok();
}

static void tell(const dt_site_split *split, const dt_site_split_done *done) {
    int64_t least = INT64_MAX, most = 0;
    for (int64_t s = 0; s < split->sites; s++) {
        int64_t count = done->parts.first[s + 1] - done->parts.first[s];
        least = count < least ? count : least;
        most = count > most ? count : most;
        if (s < SHOWN_SITES)
            dt_log_info("%s/site-%lld.h5: %lld samples", split->destination, (long long)s, (long long)count);
    }
    if (split->sites > SHOWN_SITES) dt_log_info("and %lld more", (long long)(split->sites - SHOWN_SITES));
    dt_log_info("dealt: %s", done->dealt.dealt);
    if (done->dealt.rest_count > 0) dt_log_info("in every file: %s", done->dealt.rest);
    dt_log_info("split sites=%lld partition=%s seed=%lld samples=%lld least=%lld most=%lld", (long long)split->sites,
                split->partition, (long long)split->seed, (long long)done->samples, (long long)least, (long long)most);
}

int dt_cli_split(dt_comm *comm, int argc, char **argv) {
    dt_site_split split = {.by = "/train/y", .seed = 1};
    dt_site_split_done done = {.samples = 0};
    dt_status status = parse_arguments(&split, argc, argv);
    if (status.code == DT_OK) status = dt_site_split_run(&split, &done);
    if (status.code == DT_OK) tell(&split, &done);
    dt_parts_finish(&done.parts);
    return dt_cli_report(comm, &status);
}
