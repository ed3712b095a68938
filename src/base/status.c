/* Statuses are values: a code, the function that noticed, and one line for the user. They hold no pointers, so they can
 * be sent to other ranks as they are. A message that would not fit is cut, never dropped. */
#include "dtrain/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

dt_status dt_ok(void) {
    dt_status status;
    status.code = DT_OK;
    status.where[0] = '\0';
    status.message[0] = '\0';
    return status;
}

dt_status dt_status_make(dt_code code, const char *where, const char *format, ...) {
    dt_status status;
    memset(&status, 0, sizeof status);
    status.code = code;
    snprintf(status.where, sizeof status.where, "%s", where);
    va_list args;
    va_start(args, format);
    vsnprintf(status.message, sizeof status.message, format, args);
    va_end(args);
    return status;
}

dt_status dt_fail_memory(const char *what, unsigned long long bytes) {
    return dt_fail(DT_ERR_MEMORY, "not enough memory for %s (%llu bytes)", what, bytes);
}

dt_status dt_status_within(dt_status status, const char *format, ...) {
    if (status.code == DT_OK) return status;
    char prefix[sizeof status.message];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    dt_status longer = status;
    size_t used = (size_t)snprintf(longer.message, sizeof longer.message, "%s: ", prefix);
    if (used < sizeof longer.message)
        snprintf(longer.message + used, sizeof longer.message - used, "%s", status.message);
    return longer;
}

int dt_status_exit_code(const dt_status *status) {
    switch (status->code) {
    case DT_OK: return 0;
    case DT_ERR_USAGE: return 2;
    default: return 1;
    }
}
