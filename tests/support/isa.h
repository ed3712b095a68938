/* The instruction set of a test: the best there is, or $DTRAIN_TEST_ISA, which makes a processor of an older one. */
#ifndef DTRAIN_TESTS_ISA_H
#define DTRAIN_TESTS_ISA_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compute/compute.h"

static inline dt_isa test_isa(void) {
    const char *pin = getenv("DTRAIN_TEST_ISA");
    if (!pin || sizeof(dt_real) == sizeof(double)) return DT_ISA_AUTO;
    for (int i = DT_ISA_BASELINE; i <= DT_ISA_AVX512; i++)
        if (strcmp(pin, dt_isa_name((dt_isa)i)) == 0) return (dt_isa)i;
    ck_abort_msg("DTRAIN_TEST_ISA is \"%s\", which is no instruction set", pin);
}

/* Tests of each instruction set pass where there is none of it; tests/run.sh lists this. */
static inline void say_what_is_missing(void) {
    for (int i = DT_ISA_BASELINE; i <= DT_ISA_AVX512; i++)
        if (!dt_kernels_for((dt_isa)i))
            printf("skipped: what is made for %s: this processor lacks it\n", dt_isa_name((dt_isa)i));
    fflush(stdout); /* or every child of Check says it, too */
}

#endif
