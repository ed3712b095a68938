/* The state of a run as the store sees it, and its newest checkpoint. */
#ifndef DTRAIN_SNAPSHOT_H
#define DTRAIN_SNAPSHOT_H

#include "clock.h"
#include "ledger.h"
#include "run_data.h"
#include "session.h"
#include "trainee.h"
#include "use/extras.h"

typedef struct dt_snapshot {
    char *recipe; /* with every field written out, as stored */
    dt_section sections[1 + DT_MAX_SLOTS];
    dt_extra extras[24];
    dt_beside beside[DT_LEDGER_BESIDE + DT_SCALES_EXTRAS + DT_RANGES_BESIDE + 1];
    dt_state state; /* views into the parts of the run */
    int64_t step;   /* of the newest checkpoint; -1: there is none */
    bool behind;    /* an evaluation has changed the state since, in the same step */
} dt_snapshot;

/* The recipe as it will be stored, with the run's shards. The same on every rank, but memory may fail on one. */
dt_status dt_snapshot_resolve(dt_snapshot *snapshot, dt_recipe *recipe, const dt_model *model, int64_t shards);
/* Views into these parts, which stay where they are. */
void dt_snapshot_describe(dt_snapshot *snapshot, const dt_session *session, dt_run_data *data, dt_trainee *trainee,
                          dt_ledger *ledger, int64_t shards);
void dt_snapshot_close(dt_snapshot *snapshot);
/* The state, up to date. */
const dt_state *dt_snapshot_state(dt_snapshot *snapshot, const dt_ledger *ledger);

/* checkpoints.c. Collective. That a checkpoint could be published. */
dt_status dt_snapshot_rehearse(dt_snapshot *snapshot, const dt_session *session, const dt_ledger *ledger);
/* Collective. Publishes a checkpoint of the present state unless the newest one is of this step already. */
dt_status dt_snapshot_publish(dt_snapshot *snapshot, const dt_session *session, dt_trainee *trainee, dt_ledger *ledger,
                              dt_run_clock *clock);

#endif
