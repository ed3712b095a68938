/* The wish to stop. */
#include "base/stop.h"

volatile sig_atomic_t dt_stop_requested;

dt_status dt_stop_status(void) {
    if (!dt_stop_requested) return dt_ok();
    return dt_fail(DT_ERR_STOPPED, "stopped by %s before there was anything to save; the same command starts again",
                   dt_stop_requested == DT_STOP_LIMIT ? "the time limit" : "a signal");
}
