/* The update. A rank goes through its slice block by block, on its threads: both measure and update go that way, so
 * that the rule finds in the cache what the sums brought there. */
#include <math.h>

#include "step.h"

typedef struct slice_work {
    dt_trainee *trainee;
    size_t begin, end;
    dt_optimizer_step step;
} slice_work;

static size_t block_end(const slice_work *work, size_t at) {
    return work->end - at < DT_TABLE_BLOCK ? work->end : at + DT_TABLE_BLOCK;
}

static void measure_blocks(void *context, int64_t first, int64_t last) {
    const slice_work *work = context;
    dt_trainee *t = work->trainee;
    for (size_t at = work->begin + (size_t)first, to; at < work->begin + (size_t)last; at = to) {
        to = block_end(work, at);
        t->squares[at / DT_TABLE_BLOCK] =
            dt_grad_squares(t->kernels, &t->optimizer.table, dt_reduce_keep(t->reducer, at, to), at, to);
    }
}

/* A block of the gradient as the rule gets it: `g`, or in `near` with the pull that keeps a site near the others. */
static const dt_real *pulled(const slice_work *work, const dt_real *g, dt_real *near, size_t at, size_t to) {
    const dt_trainee *t = work->trainee;
    if (!t->pull || t->pull->proximal == 0) return g;
    dt_pull_gradient(t->pull, &t->optimizer.table, near, g, t->weights, (double)work->step.update.grad_scale, at, to);
    return near;
}

/* For a rule that measures. */
static void measure_tensors(void *context, int64_t first, int64_t last) {
    const slice_work *work = context;
    dt_trainee *t = work->trainee;
    for (size_t at = work->begin + (size_t)first, to; at < work->begin + (size_t)last; at = to) {
        to = block_end(work, at);
        dt_real near[DT_TABLE_BLOCK];
        const dt_real *g = pulled(work, dt_reduce_keep(t->reducer, at, to), near, at, to);
        dt_optimizer_measure(&t->optimizer, &work->step, t->weights, g, at, to);
    }
}

/* From the last block to the first: where the cache does not hold everything, it has the end of the gradient, which
 * came last, and keeps the beginning of the weights, which the next step wants first. */
static void update_blocks(void *context, int64_t first, int64_t last) {
    const slice_work *work = context;
    dt_trainee *t = work->trainee;
    for (size_t to = work->begin + (size_t)last, at; to > work->begin + (size_t)first; to = at) {
        at = (to - 1) / DT_TABLE_BLOCK * DT_TABLE_BLOCK;
        dt_real near[DT_TABLE_BLOCK];
        const dt_real *g = pulled(work, dt_reduce_take(t->reducer, at, to), near, at, to);
        dt_optimizer_apply(&t->optimizer, &work->step, t->weights, g, at, to);
        if (t->pull && t->pull->control) dt_pull_weights(t->pull, t->weights, work->step.rate, at, to);
        if (t->weights16) t->kernels->to_bf16(t->weights16 + at, t->weights + at, (int64_t)(to - at));
    }
}

static void over_slice(slice_work *work, dt_task task) {
    const int64_t block = 4 * DT_TABLE_BLOCK; /* less is not worth a thread's start */
    dt_parallel((int64_t)(work->end - work->begin), block, task, work);
}

/* The norm of the mean gradient, over `targets`. Every rank of a node measures the blocks of its slice. */
static double gradient_norm(slice_work *work, int64_t targets) {
    const dt_trainee *t = work->trainee;
    over_slice(work, measure_blocks);
    dt_node_meet(t->node);
    double sum = 0;
    for (size_t at = 0; at < t->table->trained; at += DT_TABLE_BLOCK) sum += t->squares[at / DT_TABLE_BLOCK];
    return sqrt(sum) / (double)targets;
}

void dt_step_update(dt_step *step, dt_trainee *trainee) {
    const dt_recipe *recipe = step->session->recipe;
    /* What drawn batches are divided by is the size that is expected of them. */
    int64_t origin = step->at.origin, rows = trainee->privacy ? step->course->batch : step->rows;
    int64_t targets = rows * step->data->train.targets.counted;
    trainee->rate = dt_schedule_rate(&recipe->schedule, recipe->optimizer.lr, step->at.step - origin,
                                     step->course->total_steps - origin);
    slice_work work = {.trainee = trainee};
    dt_reduce_slice(trainee->reducer, &work.begin, &work.end);
    if (recipe->optimizer.clip_norm > 0 || step->measures) trainee->grad_norm = gradient_norm(&work, targets);
    work.step = dt_optimizer_begin(&trainee->optimizer, step->at.step - trainee->begun, rows, targets,
                                   trainee->grad_norm, trainee->rate);
    if (trainee->optimizer.rule->measures > 0) {
        over_slice(&work, measure_tensors);
        dt_node_meet(trainee->node);
        dt_optimizer_total(&trainee->optimizer);
    }
    over_slice(&work, update_blocks);
    dt_recurrent_state_commit(&trainee->recurrent_state);
}
