/* The wish to stop, which a signal brings (SIGINT, SIGTERM, SIGUSR1) or the end of a job's time (run/limit.c). A
 * training run hears it after the step in progress; what takes long besides, before the first step and in evaluations,
 * asks between its pieces. */
#ifndef DTRAIN_STOP_H
#define DTRAIN_STOP_H

#include <signal.h>

#include "base/status.h"

/* 0, or who asked: first come. */
typedef enum dt_stop { DT_STOP_SIGNAL = 1, DT_STOP_LIMIT } dt_stop;
extern volatile sig_atomic_t dt_stop_requested;

/* DT_ERR_STOPPED once a stop was asked of this process. */
dt_status dt_stop_status(void);

#endif
