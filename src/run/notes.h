/* What of a run goes into its journal (store/journal.h): rank 0's. A line that cannot be written is lost, and the run
 * goes on. */
#ifndef DTRAIN_NOTES_H
#define DTRAIN_NOTES_H

#include "run.h"

/* Collective. The run is open, and begins its steps: by whom, on what, from where. */
dt_status dt_notes_begin(dt_run *run);
/* A checkpoint was published. */
void dt_note_checkpoint(const dt_run *run);
/* The state is that of an earlier step again. */
void dt_note_rollback(const dt_run *run);
/* Other sites are waited for; `what` says whom. */
void dt_note_waits(const dt_run *run, const char *what);
/* The last line has been said: the run is done, or stopped and why. */
void dt_note_end(const dt_run *run, dt_outcome outcome, const char *digest);
/* The run ends with an error. */
void dt_note_failure(const dt_run *run, const dt_status *status);
/* Nothing follows. */
void dt_notes_close(dt_run *run);

#endif
