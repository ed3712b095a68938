/* dtrain audit: random intervals of a run, computed again. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli.h"
#include "run/audit.h"

const char dt_usage_audit[] =
    "usage: mpirun -n RANKS dtrain audit RUN [--share 1%] [--seed N] [--from STEP] [--to STEP] [--most SHARE]\n"
    "                                    [--data FILE] [--checkpoints] [--given]\n"
    "\n"
    "Computes random intervals of a run again, from the nearest checkpoint or the recipe's beginning, here and on as "
    "many\n"
    "ranks as there are, and compares the digests that the run claims: those of its chain (train.chain) and of its\n"
    "checkpoints. Says with what probability wrong steps would have been found. RUN is not written to.\n"
    "Exit code 0 when all agree, 1 when something differs, which is named, 2 when it cannot be audited so.\n"
    "\n"
    "  mpirun -n 4 dtrain audit runs/fashion-mlp --share 5%\n"
    "\n"
    "  --share SHARE  of the intervals between two digests that are drawn, as 1% or 0.01 (1%); at least one\n"
    "  --seed N       of the draw, to repeat an audit (default: a random one, which is said)\n"
    "  --from STEP    only steps behind this one\n"
    "  --to STEP      only steps up to this one\n"
    "  --most SHARE   of the run's steps that may be computed, where few checkpoints are kept (ten times --share)\n"
    "  --data FILE    where the run's data is here, if not where its recipe says\n"
    "  --checkpoints  compare digests of checkpoints alone, of a run without a chain\n"
    "  --given        the run was given its first weights: its checkpoint of step 0 is taken for true\n";

/* "1%" or "0.01". */
static dt_status parse_share(const char *name, const char *text, double *out) {
    char *end;
    double value = strtod(text, &end);
    bool percent = end != text && strcmp(end, "%") == 0;
    if (percent) value /= 100;
    if (end != text && (percent || !*end) && value > 0 && value <= 1) {
        *out = value;
        return dt_ok();
    }
    return dt_fail(DT_ERR_USAGE, "%s is \"%s\"; it must be above 0 and at most 100%%, as 1%% or 0.01", name, text);
}

static dt_status parse_whole(const char *name, const char *text, uint64_t most, uint64_t *out) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    bool digits = text[0] >= '0' && text[0] <= '9';
    if (digits && !*end && errno == 0 && value <= most) {
        *out = value;
        return dt_ok();
    }
    return dt_fail(DT_ERR_USAGE, "%s is \"%s\"; it must be a whole number from 0 to %llu", name, text,
                   (unsigned long long)most);
}

static dt_status parse_step(const char *name, const char *text, int64_t *out) {
    uint64_t value = 0;
    DT_TRY(parse_whole(name, text, (uint64_t)1 << 53, &value));
    *out = (int64_t)value;
    return dt_ok();
}

static dt_status parse_argument(dt_audit_options *options, bool *seeded, int argc, char **argv, int *at) {
    dt_status status = dt_ok();
    const char *value;
    if (strcmp(argv[*at], "--checkpoints") == 0) return options->checkpoints = true, status;
    if (strcmp(argv[*at], "--given") == 0) return options->given = true, status;
    if ((value = dt_cli_option(argc, argv, at, "--share", &status)) != NULL)
        return parse_share("--share", value, &options->share);
    DT_TRY(status);
    if ((value = dt_cli_option(argc, argv, at, "--most", &status)) != NULL)
        return parse_share("--most", value, &options->most);
    DT_TRY(status);
    if ((value = dt_cli_option(argc, argv, at, "--from", &status)) != NULL)
        return parse_step("--from", value, &options->from);
    DT_TRY(status);
    if ((value = dt_cli_option(argc, argv, at, "--to", &status)) != NULL)
        return parse_step("--to", value, &options->to);
    DT_TRY(status);
    if ((value = dt_cli_option(argc, argv, at, "--seed", &status)) != NULL) {
        *seeded = true;
        return parse_whole("--seed", value, UINT64_MAX, &options->seed);
    }
    DT_TRY(status);
    if ((value = dt_cli_option(argc, argv, at, "--data", &status)) != NULL) return options->data = value, status;
    DT_TRY(status);
    if (argv[*at][0] == '-')
        return dt_fail(DT_ERR_USAGE, "audit has no option %s (see dtrain audit --help)", argv[*at]);
    if (options->run)
        return dt_fail(DT_ERR_USAGE, "two runs, %s and %s; audit takes one (dtrain dispute compares two)", options->run,
                       argv[*at]);
    options->run = argv[*at];
    return status;
}

static dt_status parse_arguments(dt_audit_options *options, bool *seeded, int argc, char **argv) {
    for (int i = 1; i < argc; i++) DT_TRY(parse_argument(options, seeded, argc, argv, &i));
    if (!options->run) return dt_fail(DT_ERR_USAGE, "audit needs a run directory (see dtrain audit --help)");
    if (options->to >= 0 && options->to <= options->from)
        return dt_fail(DT_ERR_USAGE, "--to is %lld; it must be above --from, %lld", (long long)options->to,
                       (long long)options->from);
    return dt_ok();
}

/* Collective. What nobody could foresee. */
static dt_status draw_seed(dt_comm *comm, uint64_t *seed) {
    dt_status status = dt_ok();
    if (dt_comm_rank(comm) == 0 && getrandom(seed, sizeof *seed, 0) != (ssize_t)sizeof *seed)
        status = dt_fail(DT_ERR_IO, "the system gives no random numbers: %s; say --seed", strerror(errno));
    DT_TRY(dt_comm_agree(comm, status));
    return dt_comm_broadcast(comm, seed, sizeof *seed, 0);
}

int dt_cli_audit(dt_comm *comm, int argc, char **argv) {
    dt_audit_options options = {.share = 0.01, .to = -1};
    bool seeded = false;
    dt_status status = dt_comm_agree(comm, parse_arguments(&options, &seeded, argc, argv));
    if (status.code == DT_OK && !seeded) status = draw_seed(comm, &options.seed);
    if (status.code == DT_OK) status = dt_audit_run(comm, &options);
    return dt_cli_report(comm, &status);
}
