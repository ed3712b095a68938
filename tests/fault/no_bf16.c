/* Preloaded (LD_PRELOAD), it makes a processor that multiplies bfloat16 numbers one that does not: what oneDNN says it
 * may use is AVX-512 as the first processors had it. */
int dnnl_get_effective_cpu_isa(void);

int dnnl_get_effective_cpu_isa(void) {
    return 0x27; /* dnnl_cpu_isa_avx512_core */
}
