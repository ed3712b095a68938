/* The machine, and a recipe against it. */
#ifndef DTRAIN_BENCH_H
#define DTRAIN_BENCH_H

#include "comm/comm.h"
#include "config/recipe.h"

/* Collective. Measures the machine with all ranks at work at once, then `steps` steps of the recipe, and prints it all.
 * What it writes goes to a new directory below `directory` and is removed. */
dt_status dt_bench_run(dt_comm *comm, dt_recipe *recipe, int64_t steps, const char *directory);

#endif
