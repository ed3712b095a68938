/* What a rank computes of a step, as the reducer has to know it, and the estimate of memory. */
#include "trainee.h"

/* A shard that is computed in pieces adds them up in floats, of all layers. */
dt_work dt_trainee_work(const dt_trainee *trainee, const dt_session *session, const dt_course *course) {
    const dt_recipe_train *train = &session->recipe->train;
    int64_t ranks = session->ranks.size, rows = (train->batch + course->shards - 1) / course->shards;
    dt_work work = {.shards = course->shards,
                    .shards_per_rank = (course->shards + ranks - 1) / ranks,
                    .wire = (dt_wire)session->recipe->reduce.wire,
                    .parts = {.kept = -1},
                    .checked = train->audit > 0};
    work.fixed = trainee->privacy != NULL;
    work.exponent = trainee->privacy ? trainee->privacy->exponent : 0;
    if (!work.fixed && (train->micro_batch == 0 || train->micro_batch >= rows))
        dt_model_parts(trainee->model, &work.parts.most, &work.parts.kept);
    return work;
}
