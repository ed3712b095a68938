/* dtrain verify: every hash of one checkpoint, or of all checkpoints of a run; a line each. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli.h"
#include "store/checkpoint.h"

const char dt_usage_verify[] = "usage: dtrain verify CHECKPOINT|RUN...\n"
                               "\n"
                               "Reads every dataset and compares its hash, then the digest of the whole state. A run "
                               "directory stands for all its\n"
                               "checkpoints; a run may go on meanwhile, and what it removes or has not finished is "
                               "passed over. Exit code 0 when all are whole, 1 otherwise.\n";

/* `listed`: it was found in a directory a moment ago, and a live run may have removed it since. */
static dt_status verify_file(const char *path, bool listed) {
    uint64_t digest = 0;
    char text[17];
    if (dt_checkpoint_is_unfinished(path)) {
        dt_log_info("%s: not finished; a job is writing it, or was killed while it did", path);
        return dt_ok();
    }
    dt_status status = dt_checkpoint_verify(path, &digest);
    if (status.code != DT_OK && listed && dt_checkpoint_vanished(path)) {
        dt_log_info("%s: removed meanwhile", path);
        return dt_ok();
    }
    dt_digest_text(digest, text);
    if (status.code == DT_OK) dt_log_info("%s: valid, digest %s", path, text);
    if (status.code != DT_OK) dt_log_error("%s", status.message);
    return status;
}

static dt_status verify_run(const char *run) {
    char directory[4096];
    DT_TRY(dt_path_join(directory, run, "checkpoints"));
    char(*paths)[4096];
    int count;
    DT_TRY(dt_checkpoint_list(directory, &paths, &count));
    dt_status worst = count > 0 ? dt_ok() : dt_fail(DT_ERR_INPUT, "%s: no checkpoints here", run);
    if (count == 0) dt_log_error("%s", worst.message);
    for (int i = 0; i < count; i++) {
        dt_status status = verify_file(paths[i], true);
        if (status.code != DT_OK) worst = status;
    }
    dt_free(paths);
    return worst;
}

int dt_cli_verify(dt_comm *comm, int argc, char **argv) {
    if (argc < 2 || argv[1][0] == '-') {
        dt_status usage =
            argc < 2 ? dt_fail(DT_ERR_USAGE, "verify needs a checkpoint or a run directory (see dtrain verify --help)")
                     : dt_fail(DT_ERR_USAGE, "verify has no option %s (see dtrain verify --help)", argv[1]);
        return dt_cli_report(comm, &usage);
    }
    int code = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        bool directory = stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode);
        dt_status status = directory ? verify_run(argv[i]) : verify_file(argv[i], false);
        if (status.code != DT_OK) code = dt_status_exit_code(&status);
    }
    return code;
}
