/* A trainee: a model in training, with all that its updates need. A run has one; nothing here assumes that it is the
 * only one. */
#ifndef DTRAIN_TRAINEE_H
#define DTRAIN_TRAINEE_H

#include "comm/crosscheck.h"
#include "comm/reduce.h"
#include "compute/compute.h"
#include "course.h"
#include "model/model.h"
#include "optim/optim.h"
#include "privacy.h"
#include "recurrent_state.h"
#include "run_data.h"
#include "session.h"
#include "site/pull.h"

typedef struct dt_trainee {
    const dt_kernels *kernels;
    dt_model *model;
    const dt_table *table; /* the model's; that of what is trained, hence of the gradient, is the optimizer's */
    dt_node *node;         /* the session's: its ranks share weights, slots and squares */
    dt_real *weights;
    dt_bf16 *weights16; /* the same, rounded, for compute.precision bf16; else NULL */
    dt_optimizer optimizer;
    char slot_groups[DT_MAX_SLOTS][64]; /* in a checkpoint */
    dt_reducer *reducer;
    dt_crosscheck *crosscheck; /* of train.audit; NULL: nothing is computed again */
    double *squares;           /* of the gradient, a sum for each block of DT_TABLE_BLOCK elements */
    dt_recurrent_state recurrent_state;
    dt_privacy *privacy; /* the run's; NULL: its steps are not private */
    dt_batch batch;      /* [rows_at_once] */
    int64_t *index;      /* [rows_at_once] */
    int64_t rows_at_once;
    double grad_norm, rate; /* of the last step that measured them */
    int64_t begun;          /* the step its moments began at */
    const dt_pull *pull;    /* towards other sites; NULL: there are none */
    double rates;           /* learning rates added up, for who asks */
} dt_trainee;

/* What a model is planned by. */
typedef struct dt_trainee_plan {
    size_t memory; /* bytes a rank may take; 0: nobody says */
    bool goes_on;  /* with a checkpoint; which is then told what a new run would be refused for */
} dt_trainee_plan;
/* Plans the model and its batches, once kernels are there; settles what the data's targets are to it. The same on every
 * rank, but memory may fail on one. To be closed, also after a failure. */
dt_status dt_trainee_plan_model(dt_trainee *trainee, const dt_session *session, dt_run_data *data,
                                const dt_course *course, const dt_trainee_plan *plan);
/* work.c. What a rank computes of a step. */
dt_work dt_trainee_work(const dt_trainee *trainee, const dt_session *session, const dt_course *course);
/* Collective. What the ranks of session->node have in common of it, the weights initialised. */
dt_status dt_trainee_share(dt_trainee *trainee, const dt_session *session, const dt_course *course);
/* What dt_trainee_share took but the node's memory. */
void dt_trainee_unshare(dt_trainee *trainee);
void dt_trainee_close(dt_trainee *trainee);

/* Where it is in a checkpoint, into out[1 + DT_MAX_SLOTS]. Returns how many. */
int dt_trainee_sections(dt_trainee *trainee, dt_section *out);
/* Collective over the node. weights16 becomes weights, rounded; nothing when there is no weights16. */
void dt_trainee_round_weights(dt_trainee *trainee);
/* That this rank's part of its node's weights are numbers. */
bool dt_trainee_is_finite(const dt_trainee *trainee);

/* memory.c. Collective. The bytes each rank of a machine may still take, the least of all. */
dt_status dt_memory_of_rank(dt_comm *comm, size_t *out);
/* That a trainee whose model is planned fits into `memory` bytes. */
dt_status dt_trainee_check_memory(const dt_trainee *trainee, const dt_session *session, const dt_source *source,
                                  const dt_course *course, size_t memory);
/* What a run keeps besides. */
typedef struct dt_memory_beside {
    size_t copy;               /* bytes of a rank for its part of a checkpoint */
    size_t rounds, rounds_own; /* with sites: bytes of a machine, and of a rank */
} dt_memory_beside;

/* Collective. What it keeps in memory, as planned, and what the system says the process has grown by since it had
 * `before` bytes; `copy` bytes of it are for checkpoints. */
dt_status dt_trainee_print_memory(const dt_trainee *trainee, const dt_session *session, const dt_source *source,
                                  const dt_memory_beside *beside, int64_t before);

#endif
