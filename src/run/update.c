/* The update. A rank goes through its slice block by block, on its threads: both measure and update go that way, so
 * that the rule finds in the cache what the sums brought there. */
#include <math.h>

#include "step.h"

typedef struct slice_work {
    dt_trainee *trainee;
    const dt_recipe_optimizer *optimizer;
    size_t begin, end;
    int64_t step, rows, targets;
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
            dt_grad_squares(t->kernels, t->table, dt_reduce_keep(t->reducer, at, to), at, to);
    }
}

static void update_blocks(void *context, int64_t first, int64_t last) {
    const slice_work *work = context;
    dt_trainee *t = work->trainee;
    for (size_t at = work->begin + (size_t)first, to; at < work->begin + (size_t)last; at = to) {
        to = block_end(work, at);
        dt_optim_update(t->kernels, work->optimizer, t->table, t->weights, t->slots, dt_reduce_take(t->reducer, at, to),
                        at, to, work->step, work->rows, work->targets, t->grad_norm, t->rate);
        if (t->weights16) t->kernels->to_bf16(t->weights16 + at, t->weights + at, (int64_t)(to - at));
    }
}

static void over_slice(slice_work *work, dt_task task) {
    const int64_t block = 4 * DT_TABLE_BLOCK; /* less is not worth a thread's start */
    dt_parallel((int64_t)(work->end - work->begin), block, task, work);
}

/* The norm of the mean gradient. Every rank of a node measures the blocks of its slice. */
static double gradient_norm(slice_work *work) {
    const dt_trainee *t = work->trainee;
    over_slice(work, measure_blocks);
    dt_node_meet(t->node);
    double sum = 0;
    for (size_t at = 0; at < t->table->total; at += DT_TABLE_BLOCK) sum += t->squares[at / DT_TABLE_BLOCK];
    return sqrt(sum) / (double)work->targets;
}

void dt_step_update(dt_step *step, dt_trainee *trainee) {
    const dt_recipe *recipe = step->session->recipe;
    const dt_recipe_optimizer *optimizer = &recipe->optimizer;
    int64_t origin = step->at.origin;
    trainee->rate =
        dt_schedule_rate(&recipe->schedule, optimizer->lr, step->at.step - origin, step->course->total_steps - origin);
    slice_work work = {.trainee = trainee,
                       .optimizer = optimizer,
                       .step = step->at.step,
                       .rows = step->rows,
                       .targets = step->rows * step->data->train.targets.counted};
    dt_reduce_slice(trainee->reducer, &work.begin, &work.end);
    if (optimizer->clip_norm > 0 || step->measures) trainee->grad_norm = gradient_norm(&work);
    over_slice(&work, update_blocks);
    dt_recurrent_state_commit(&trainee->recurrent_state);
}
