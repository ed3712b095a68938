/* Instruction sets: which kernels a machine runs. It changes how long they take, and no bit. */
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
/* That this program has kernels for it. */
bool dt_isa_is_built(dt_isa isa);
/* That products of bfloat16 have an instruction of their own, in this program and on this machine. */
bool dt_isa_has_bf16(void);
/* `isa` where this machine has it, else the best it has: to use what was trained elsewhere. */
dt_isa dt_isa_at_hand(dt_isa isa);

#endif
