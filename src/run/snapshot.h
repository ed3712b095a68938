/* The state of a run as the store sees it, and its newest checkpoint. */
#ifndef DTRAIN_SNAPSHOT_H
#define DTRAIN_SNAPSHOT_H

#include "clock.h"
#include "ledger.h"
#include "run_data.h"
#include "session.h"
#include "store/publish.h"
#include "trainee.h"
#include "use/extras.h"

#define DT_ROUNDS_BESIDE 16 /* of dt_rounds_describe */

typedef struct dt_snapshot {
    char *recipe; /* with every field written out, as stored */
    dt_section sections[1 + DT_MAX_SLOTS];
    dt_extra extras[24];
    dt_beside beside[DT_LEDGER_BESIDE + DT_LEDGER_EXTRAS + DT_SCALES_EXTRAS + DT_RANGES_BESIDE + DT_ROUNDS_BESIDE +
                     DT_PRIVACY_BESIDE + 1];
    dt_beside *privacy;      /* of these, where it is private */
    dt_state state;          /* views into the parts of the run */
    int64_t step;            /* of the newest checkpoint that counts; -1: there is none */
    int64_t published;       /* by this process */
    bool warned;             /* that they cost more than was allowed */
    double work;             /* processor time of this rank's helpers up to that one, in seconds */
    bool behind;             /* an evaluation has changed the state since, in the same step */
    dt_publisher *publisher; /* beside the training; NULL: training stands still meanwhile */
    dt_status refused;       /* why that is so */
} dt_snapshot;

/* The recipe as it will be stored, with the run's shards. The same on every rank, but memory may fail on one. */
dt_status dt_snapshot_resolve(dt_snapshot *snapshot, dt_recipe *recipe, const dt_model *model, int64_t shards);
/* Views into these parts, which stay where they are. `rounds`: of sites, whose digest is that of what they have in
 * common: what is tallied is then beside it. */
void dt_snapshot_describe(dt_snapshot *snapshot, const dt_session *session, dt_run_data *data, dt_trainee *trainee,
                          dt_ledger *ledger, dt_privacy *privacy, int64_t shards, bool rounds);
void dt_snapshot_close(dt_snapshot *snapshot);
/* The state, up to date. */
const dt_state *dt_snapshot_state(dt_snapshot *snapshot, const dt_ledger *ledger);

/* checkpoints.c. Collective. That a checkpoint could be published. */
dt_status dt_snapshot_rehearse(dt_snapshot *snapshot, const dt_session *session, const dt_ledger *ledger);
/* Collective. That no rank's part of its replica has become what is no number. */
dt_status dt_snapshot_check_weights(const dt_session *session, const dt_trainee *trainee, int64_t step);
/* Not collective. Helpers that publish beside the training; to be called before the run takes memory. */
void dt_snapshot_open_publisher(dt_snapshot *snapshot, const dt_session *session);
/* Collective, once the state is there. Memory for a copy of it, of the `memory` bytes there are for a rank (0: nobody
 * says); where there is none, a warning, and training stands still while a checkpoint is written. */
dt_status dt_snapshot_fit_publisher(dt_snapshot *snapshot, const dt_session *session, const dt_ledger *ledger,
                                    size_t memory);
/* Collective; nothing is in flight. A checkpoint of the present state is there on return: it is published unless the
 * newest one is of this step already. */
dt_status dt_snapshot_publish(dt_snapshot *snapshot, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                              dt_run_clock *clock);
/* Collective; nothing is in flight. The present state is copied, and published beside what follows, where that is
 * possible. */
dt_status dt_snapshot_begin(dt_snapshot *snapshot, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                            dt_run_clock *clock);
/* The step of the checkpoint in flight; -1: there is none. The same on all ranks. */
int64_t dt_snapshot_flies(const dt_snapshot *snapshot);
/* Bytes this rank has for a copy. */
size_t dt_snapshot_memory(const dt_snapshot *snapshot);
/* Whether this rank is ready to meet the others for it; and whether its helper has moved nothing for so long. */
bool dt_snapshot_is_ready(const dt_snapshot *snapshot);
bool dt_snapshot_stands(const dt_snapshot *snapshot, double seconds);
/* Collective, once all ranks are ready. */
dt_status dt_snapshot_meet(dt_snapshot *snapshot, const dt_session *session, dt_run_clock *clock);
/* Collective. What is in flight, if anything, counts on return. */
dt_status dt_snapshot_finish(dt_snapshot *snapshot, const dt_session *session, dt_run_clock *clock);

#endif
