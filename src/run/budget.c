/* How often a checkpoint is made follows from what it costs: the seconds training stands still for the copy and the
 * meetings, and those by which steps are longer while it is written beside them. CheckFreq (Mohan et al., FAST 2021)
 * profiles the same two and keeps their sum within 3.5 % of the run; ours is a percent, and is measured again with
 * every checkpoint, so that it follows a file system that becomes slow.
 *
 * By how much steps are longer is a difference of two times, and may be lost among others of the machine. It counts as
 * no less than the processor time of rank 0's helpers, for where every core trains, they take it from a rank; where
 * one is free, that is too much, and checkpoints are a little rarer than they could be.
 *
 * Two limits hold whatever is measured. Where checkpoints are cheap, one in half a minute is enough: nobody misses half
 * a minute, and each one wears the disk. Where they are dear, one comes every ten minutes nevertheless: on N nodes that
 * fail once in 5 years each, a job of 1000 nodes fails every 44 hours, and by Young's formula (1974) the best interval
 * for a cost of a second is then sqrt(2 · 1 s · 44 h) = 9 min; and a scheduler that kills, or a user, does not fail at
 * random.
 *
 * None of it changes any number that is computed: when a checkpoint is made is rank 0's wish, which crosses with the
 * gradient. */
#include "budget.h"

#define LEAST_SECONDS 30
#define MOST_SECONDS 600
#define MEMORY 0.9 /* of averages: what was before counts so much */

static double average(double before, double now) {
    return before > 0 ? MEMORY * before + (1 - MEMORY) * now : now;
}

void dt_budget_step(dt_budget *budget, double seconds, bool beside) {
    if (beside)
        budget->slowed += budget->step > 0 ? seconds - budget->step : 0;
    else
        budget->step = average(budget->step, seconds);
}

void dt_budget_begin(dt_budget *budget, double now) {
    budget->begun = now;
}

void dt_budget_stood(dt_budget *budget, double seconds) {
    budget->stood += seconds;
}

void dt_budget_end(dt_budget *budget, double now, double work) {
    budget->last = (dt_price){budget->stood, budget->slowed, work};
    double cost = budget->stood + (budget->slowed > work ? budget->slowed : work);
    budget->stood = budget->slowed = 0;
    budget->duration = now - budget->begun;
    budget->cost = budget->cost > 0 ? (budget->cost + cost) / 2 : cost; /* half: a disk may become slow at once */
}

static double wanted(const dt_budget *budget, double percent) {
    return 100 * budget->cost / percent;
}

double dt_budget_interval(const dt_budget *budget, double percent) {
    double seconds = wanted(budget, percent);
    return seconds < LEAST_SECONDS ? LEAST_SECONDS : seconds > MOST_SECONDS ? MOST_SECONDS : seconds;
}

bool dt_budget_exceeded(const dt_budget *budget, double percent) {
    return wanted(budget, percent) > MOST_SECONDS;
}

double dt_budget_duration(const dt_budget *budget) {
    return budget->duration;
}
