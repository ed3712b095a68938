/* What this program is, what it was built with and what it runs on: lines of YAML, for people and for reports of bugs.
 * built.h is meson's, which knows what it found. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/append.h"
#include "base/log.h"
#include "built.h"
#include "cli.h"
#include "compute/isa.h"
#include "store/h5.h"

static const struct { const char *name, *version; } libraries[] = {DT_BUILT_LIBRARIES};

/* The value of the first line of /proc/cpuinfo that has this key; "" where there is none. */
static void processor_name(char *out, size_t size) {
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "re");
    *out = '\0';
    while (file && !*out && fgets(line, sizeof line, file)) {
        char *value = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (value) snprintf(out, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
    }
    if (file) fclose(file);
    if (!*out) snprintf(out, size, "unknown");
}

static void print_machine(void) {
    struct utsname system;
    char processor[256];
    processor_name(processor, sizeof processor);
    if (uname(&system) == 0) dt_log_info("system: %s %s %s", system.sysname, system.release, system.machine);
    dt_log_info("processor: %s", processor);
    dt_log_info("processors: %ld", sysconf(_SC_NPROCESSORS_ONLN));
}

static void print_instruction_sets(void) {
    char built[128] = "", here[128] = "";
    const char *best = "";
    for (int i = DT_ISA_BASELINE; i <= DT_ISA_AVX512; i++) {
        const char *name = dt_isa_name((dt_isa)i);
        if (dt_isa_is_built((dt_isa)i)) dt_append(built, sizeof built, "%s%s", *built ? ", " : "", name);
        dt_status status = dt_isa_check((dt_isa)i);
        if (status.code == DT_OK) dt_append(here, sizeof here, "%s%s", *here ? ", " : "", best = name);
    }
    dt_log_info("instruction sets: {built: [%s], here: [%s], taken: %s}", built, here, best);
    dt_log_info("bfloat16 instructions: %s", dt_isa_has_bf16() ? "true" : "false");
}

static void print_libraries(void) {
    char has[512] = "", missing[512] = "";
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        if (*libraries[i].version)
            dt_append(has, sizeof has, "%s%s: %s", *has ? ", " : "", libraries[i].name, libraries[i].version);
        else
            dt_append(missing, sizeof missing, "%s%s", *missing ? ", " : "", libraries[i].name);
    }
    if (!DT_BUILT_ONNX) dt_append(missing, sizeof missing, "%sonnx", *missing ? ", " : "");
    dt_log_info("libraries: {%s}", has);
    dt_log_info("missing: [%s]", missing);
    dt_log_info("libdtrain: %s", DT_BUILT_LIBDTRAIN ? "true" : "false");
}

void dt_cli_version(bool verbose) {
    dt_log_info(verbose ? "dtrain: " DT_VERSION : "dtrain " DT_VERSION);
    if (!verbose) return;
    char text[2048];
    dt_log_info("compiler: " DT_BUILT_COMPILER);
    dt_log_info("build: " DT_BUILT_AS);
    dt_log_info("built for: " DT_BUILT_FOR);
    print_machine();
    print_instruction_sets();
    dt_comm_library(text, sizeof text);
    for (char *at = text; (at = strchr(at, '"')) != NULL;) *at = '\'';
    dt_log_info("mpi: \"%s, built with " DT_BUILT_MPI "\"", text);
    dt_h5_library(text, sizeof text);
    dt_log_info("hdf5: %s", text);
    print_libraries();
}
