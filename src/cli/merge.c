/* dtrain merge: one checkpoint of several. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli.h"
#include "store/checkpoint.h"
#include "use/merge.h"

const char dt_usage_merge[] =
    "usage: dtrain merge CHECKPOINT|RUN... -o OUT.h5 [--weights W,W...]\n"
    "\n"
    "A checkpoint whose weights are the weighted sum of those of several checkpoints of one model: their average (the\n"
    "default), a point on the line between two, or a difference, which can be added to a third. All else is the first\n"
    "one's. The result serves eval, predict, sample and export; to train from it: dtrain import weights.\n"
    "\n"
    "  -o OUT.h5        the result; it appears complete or not at all\n"
    "  --weights W,W    what each checkpoint is multiplied by (default: 1/their number)\n"
    "\n"
    "Example:\n"
    "  dtrain merge runs/north runs/south -o merged.h5\n"
    "  dtrain merge tuned.h5 base.h5 -o change.h5 --weights 1,-1\n";

/* "0.7,0.3" into weights[count]. */
static dt_status parse_weights(const char *text, double *weights, int count) {
    int found = 0;
    for (const char *at = text;; found++) {
        char *end;
        double value = strtod(at, &end);
        if (end == at || (*end != ',' && *end != '\0') || !isfinite(value))
            return dt_fail(DT_ERR_USAGE, "--weights is \"%s\"; it must be numbers with commas between, as in 0.7,0.3",
                           text);
        if (found < count) weights[found] = value;
        if (*end == '\0') break;
        at = end + 1;
    }
    if (found + 1 == count) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "--weights has %d numbers for %d checkpoints", found + 1, count);
}

static dt_status parse_arguments(dt_merge_options *options, const char **targets, const char **weights, int argc,
                                 char **argv) {
    for (int i = 1; i < argc; i++) {
        dt_status status = dt_ok();
        const char *value;
        if ((value = dt_cli_option(argc, argv, &i, "-o", &status)) != NULL)
            options->destination = value;
        else if (status.code == DT_OK && (value = dt_cli_option(argc, argv, &i, "--weights", &status)) != NULL)
            *weights = value;
        else if (status.code == DT_OK && argv[i][0] == '-')
            status = dt_fail(DT_ERR_USAGE, "merge has no option %s (see dtrain merge --help)", argv[i]);
        else if (status.code == DT_OK)
            targets[options->count++] = argv[i];
        DT_TRY(status);
    }
    if (options->count < 2)
        return dt_fail(DT_ERR_USAGE, "merge needs two checkpoints or more (see dtrain merge --help)");
    if (!options->destination) return dt_fail(DT_ERR_USAGE, "merge needs -o OUT.h5 (see dtrain merge --help)");
    return dt_ok();
}

static void tell(const dt_merge_options *options, const dt_merged *merged, uint64_t digest, double norm) {
    char text[17];
    double all = 0;
    for (int i = 0; i < options->count; i++) {
        dt_digest_text(merged[i].digest, text);
        dt_log_info("%12.6g x %s, digest %s, %.6g from the result", merged[i].weight, merged[i].path, text,
                    merged[i].distance);
        all += merged[i].weight;
    }
    if (fabs(all - 1) > 1e-6)
        dt_log_info("the weights add up to %.6g, so the result is a difference or a multiple, and no model by itself",
                    all);
    dt_digest_text(digest, text);
    dt_log_info("merge checkpoints=%d norm=%.6g digest=%s", options->count, norm, text);
}

static dt_status run(int argc, char **argv, const char **targets, double *numbers, dt_merged *merged) {
    dt_merge_options options = {.targets = targets};
    const char *weights = NULL;
    DT_TRY(parse_arguments(&options, targets, &weights, argc, argv));
    if (weights) {
        DT_TRY(parse_weights(weights, numbers, options.count));
        options.weights = numbers;
    }
    uint64_t digest;
    double norm;
    DT_TRY(dt_merge_run(&options, merged, &digest, &norm));
    tell(&options, merged, digest, norm);
    return dt_ok();
}

int dt_cli_merge(dt_comm *comm, int argc, char **argv) {
    const char **targets = dt_alloc((size_t)argc, sizeof *targets);
    double *numbers = dt_alloc((size_t)argc, sizeof *numbers);
    dt_merged *merged = dt_alloc((size_t)argc, sizeof *merged);
    bool there = targets && numbers && merged;
    dt_status status = there ? run(argc, argv, targets, numbers, merged)
                             : dt_fail_memory("the arguments", (unsigned long long)argc * sizeof *merged);
    dt_free(targets);
    dt_free(numbers);
    dt_free(merged);
    return dt_cli_report(comm, &status);
}
