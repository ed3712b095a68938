/* What signals mean to the program. */
#ifndef DTRAIN_CLI_SIGNALS_H
#define DTRAIN_CLI_SIGNALS_H

/* For every command, first of all: a limit on the size of files is an error of the write that meets it, as a full disk
 * is, and no end without a word. */
void dt_signals_begin(void);

/* For commands with ranks, and once more when MPI is up, which may have put handlers of its own in place: SIGINT,
 * SIGTERM and SIGUSR1 ask for a stop, a reader of standard output that is gone is an error of the write, and a bus
 * error in a mapped file names it. */
void dt_signals_catch(void);

#endif
