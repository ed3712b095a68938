/* A run's model against its test data (evaluate.c). */
#ifndef DTRAIN_EVALUATE_H
#define DTRAIN_EVALUATE_H

#include "ledger.h"
#include "trainee.h"
#include "use/evaluation.h"

/* Collective. Into ledger->test; `assessor` also collects figures, NULL: none are. */
dt_status dt_evaluate_test(const dt_session *session, const dt_run_data *data, const dt_trainee *trainee,
                           dt_ledger *ledger, dt_assessor *assessor);

/* Collective. What train.not_finite says about an evaluation: a failure, or these samples leave the tally; `told`: it
 * was said before. */
dt_status dt_test_not_finite(const dt_comm *comm, dt_not_finite policy, const dt_odd *odd, bool told, dt_tally *tally);

#endif
