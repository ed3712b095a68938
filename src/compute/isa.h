/* Instruction sets: which kernels a machine runs. That is part of what fixes a run's bits, so a recipe can pin it
 * (compute.isa) where a cluster mixes machines. */
#ifndef DTRAIN_COMPUTE_ISA_H
#define DTRAIN_COMPUTE_ISA_H

#include <stdbool.h>

#include "base/status.h"

typedef enum dt_isa { DT_ISA_AUTO, DT_ISA_BASELINE, DT_ISA_AVX2, DT_ISA_AVX512 } dt_isa;
const char *dt_isa_name(dt_isa isa);
/* The one of that name; DT_ISA_AUTO where there is none. */
dt_isa dt_isa_named(const char *name);
/* That this machine has it. */
dt_status dt_isa_check(dt_isa isa);
/* The instruction set a run goes on with that was trained with `stored` (DT_ISA_AUTO: not known), where the recipe says
 * `wanted`, which is by `named` on purpose, and this machine has `best`. Fails where that is not what it was trained
 * with. */
dt_status dt_isa_resume(dt_isa wanted, dt_isa stored, bool named, dt_isa best, dt_isa *out);

#endif
