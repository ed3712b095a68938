/* Which process somebody is, so that another one can tell later whether it still lives. */
#ifndef DTRAIN_PROCESS_H
#define DTRAIN_PROCESS_H

#include <stdbool.h>

typedef struct dt_process {
    char boot[40];            /* the kernel's id of this boot of the machine; "-": not known */
    unsigned long long space; /* inode of the PID namespace, in which `pid` means something; 0: not known */
    long pid;
    unsigned long long started; /* clock ticks after boot, against reuse of pids; 0: not known */
} dt_process;

typedef enum dt_fate { DT_FATE_UNKNOWN, DT_FATE_LIVES, DT_FATE_GONE } dt_fate;

dt_process dt_process_self(void);

/* DT_FATE_GONE only where that is certain: a process of another machine, of another PID namespace, or one that /proc
 * hides is DT_FATE_UNKNOWN. A zombie is gone. */
dt_fate dt_process_fate(const dt_process *process);

/* The process that started this one as one of several ranks: mpirun or its stand-in on this machine. 0: there is none,
 * this is no rank, or it was started by a launcher we do not know. */
long dt_process_launcher(void);

/* Whether what this process writes to `fd`, standard output or error, comes to a terminal: its own, or the launcher's.
 * *columns, which may be NULL, is how wide that is; 0: not known. */
bool dt_process_terminal(int fd, int *columns);

/* The ranks it says it started; 0 where there is none. */
long dt_process_ranks(void);

#endif
