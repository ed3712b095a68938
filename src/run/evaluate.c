/* Evaluations during a run. There is no step to pass over when a loss is no number: the run stops, or the figures are
 * those of the other samples (train.not_finite). */
#include "evaluate.h"

#include "base/log.h"

dt_status dt_evaluate_test(const dt_session *session, const dt_run_data *data, const dt_trainee *trainee,
                           dt_ledger *ledger, dt_assessor *assessor) {
    dt_evaluator evaluator = {&session->ranks, trainee->model,        trainee->kernels,
                              &data->scales,   trainee->weights,      trainee->weights16,
                              &data->test,     trainee->rows_at_once, assessor};
    const int64_t step = ledger->position.step;
    dt_odd odd = {.samples = data->test.x_name};
    dt_session_note(session, DT_ACTIVITY_EVALUATE, step);
    dt_tally whole; /* of an evaluation that is left in its middle nothing is to be told */
    DT_TRY(dt_evaluate_split(&evaluator, &whole, &odd));
    ledger->test = whole;
    dt_session_note(session, DT_ACTIVITY_COMPUTE, step);
    bool told = ledger->test.not_finite == ledger->odd_samples;
    ledger->odd_samples = ledger->test.not_finite;
    dt_not_finite policy = (dt_not_finite)session->recipe->train.not_finite;
    dt_status status = dt_test_not_finite(session->comm, policy, &odd, told, &ledger->test);
    return dt_status_within(status, "evaluation at step %lld", (long long)step);
}

dt_status dt_test_not_finite(const dt_comm *comm, dt_not_finite policy, const dt_odd *odd, bool told, dt_tally *tally) {
    if (tally->not_finite == 0) return dt_ok();
    dt_status found = dt_fail(DT_ERR_DIVERGED, "the loss of %lld of %lld samples of %s is not a number; %s",
                              (long long)tally->not_finite, (long long)tally->samples, odd->samples, odd->cause);
    if (policy == DT_NOT_FINITE_STOP) return found;
    if (!told && dt_comm_rank(comm) == 0) dt_log_warn("%s; left out of the figures (train.not_finite)", found.message);
    tally->samples -= tally->not_finite;
    tally->not_finite = 0;
    return dt_ok();
}
