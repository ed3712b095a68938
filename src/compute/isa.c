/* Which kernels this machine runs. */
#include <string.h>

#include "isa.h"
#include "kernels.h"

extern const dt_kernels dt_kernels_baseline;
#if defined(__x86_64__) && !defined(DT_REAL_DOUBLE)
extern const dt_kernels dt_kernels_avx2, dt_kernels_avx512;
#endif

const char *dt_isa_name(dt_isa isa) {
    static const char *const names[] = {"auto", "baseline", "avx2", "avx512"};
    return names[isa];
}

dt_isa dt_isa_named(const char *name) {
    for (int isa = DT_ISA_BASELINE; isa <= DT_ISA_AVX512; isa++)
        if (strcmp(dt_isa_name((dt_isa)isa), name) == 0) return (dt_isa)isa;
    return DT_ISA_AUTO;
}

const dt_kernels *dt_kernels_for(dt_isa isa) {
#if defined(__x86_64__) && !defined(DT_REAL_DOUBLE)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    switch (isa) {
    case DT_ISA_AUTO: return avx512 ? &dt_kernels_avx512 : avx2 ? &dt_kernels_avx2 : &dt_kernels_baseline;
    case DT_ISA_AVX512: return avx512 ? &dt_kernels_avx512 : NULL;
    case DT_ISA_AVX2: return avx2 ? &dt_kernels_avx2 : NULL;
    case DT_ISA_BASELINE: return &dt_kernels_baseline;
    }
    return NULL;
#else
    return isa == DT_ISA_AUTO || isa == DT_ISA_BASELINE ? &dt_kernels_baseline : NULL;
#endif
}

bool dt_isa_is_built(dt_isa isa) {
#if defined(__x86_64__) && !defined(DT_REAL_DOUBLE)
    return isa >= DT_ISA_BASELINE && isa <= DT_ISA_AVX512;
#else
    return isa == DT_ISA_BASELINE;
#endif
}

bool dt_isa_has_bf16(void) {
#if defined(__x86_64__)
    return dt_kernels_for(DT_ISA_AVX512) && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

dt_status dt_isa_check(dt_isa isa) {
    if (dt_kernels_for(isa)) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "compute.isa is %s, which this machine does not have; it has %s", dt_isa_name(isa),
                   dt_isa_name(dt_kernels_for(DT_ISA_AUTO)->isa));
}

dt_isa dt_isa_at_hand(dt_isa isa) {
    return dt_kernels_for(isa) ? isa : DT_ISA_AUTO;
}
