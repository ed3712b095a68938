/* What the commands share: options and the printing of failures. */
#include "cli.h"

#include <string.h>

#include "base/log.h"

const char *dt_cli_option(int argc, char **argv, int *at, const char *name, dt_status *status) {
    const char *argument = argv[*at];
    size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0) return NULL;
    if (argument[length] == '=') return argument + length + 1;
    if (argument[length] != '\0') return NULL;
    if (*at + 1 >= argc) {
        *status = dt_fail(DT_ERR_USAGE, "%s needs a value (see --help)", name);
        return NULL;
    }
    return argv[++*at];
}

int dt_cli_report(dt_comm *comm, const dt_status *status) {
    if (status->code == DT_OK) return 0;
    bool agreed = status->code != DT_ERR_COMM;
    if (!comm || !agreed || dt_comm_rank(comm) == 0) dt_log_error("%s", status->message);
    if (*status->where) dt_log_debug("noticed in %s", status->where);
    if (comm && !agreed) dt_comm_abort(comm, 1);
    return dt_status_exit_code(status);
}
