/* How much memory there still is. Linux gives out addresses it has no memory for and kills who uses them, so whoever is
 * about to take much asks here first: the machine, the control groups above this process (a container, a scheduler's
 * job) and its own limit of address space. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/memory.h"

/* The number behind `key` in a file, or with an empty key the file's first; SIZE_MAX where there is none ("max"). */
static size_t number_in(const char *path, const char *key) {
    FILE *file = fopen(path, "re");
    if (!file) return SIZE_MAX;
    size_t number = SIZE_MAX, length = strlen(key);
    char line[512];
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, length) == 0 && sscanf(line + length, "%zu", &number) == 1) break;
    fclose(file);
    return number;
}

static size_t less(size_t a, size_t b) {
    return a < b ? a : b;
}

/* What a group leaves: its limit without what it uses, but for the cache of files, which goes when it must. */
static size_t left_in(const char *group, const char *limit, const char *used, const char *cache) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", group, limit) >= (int)sizeof path) return SIZE_MAX;
    size_t most = number_in(path, "");
    if (most >= (size_t)1 << 60) return SIZE_MAX; /* none */
    snprintf(path, sizeof path, "%s/%s", group, used);
    size_t taken = number_in(path, "");
    snprintf(path, sizeof path, "%s/memory.stat", group);
    size_t files = number_in(path, cache);
    if (taken == SIZE_MAX) return SIZE_MAX;
    taken -= files == SIZE_MAX ? 0 : less(files, taken);
    return most > taken ? most - taken : 0;
}

/* The least that `path` of a hierarchy at `mount`, or any group above it, leaves. */
static size_t left_above(const char *mount, char *path, bool unified) {
    size_t least = SIZE_MAX;
    for (;;) {
        char group[PATH_MAX];
        if (snprintf(group, sizeof group, "%s%s", mount, path) < (int)sizeof group)
            least = less(least, unified ? left_in(group, "memory.max", "memory.current", "inactive_file ")
                                        : left_in(group, "memory.limit_in_bytes", "memory.usage_in_bytes",
                                                  "total_inactive_file "));
        char *slash = strrchr(path, '/');
        if (!slash) return least;
        *slash = '\0';
    }
}

static size_t left_in_groups(const char *root) {
    char path[PATH_MAX], mount[PATH_MAX], line[PATH_MAX];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (!file) return SIZE_MAX;
    size_t least = SIZE_MAX;
    while (fgets(line, sizeof line, file)) { /* "0::/job" of the unified hierarchy, "7:memory:/job" of the older one */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = '\0';
        bool unified = controllers[1] == '\0';
        if (!unified && strcmp(controllers + 1, "memory") != 0) continue;
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s", root, unified ? "" : "/memory");
        least = less(least, left_above(mount, group, unified));
    }
    fclose(file);
    return least;
}

size_t dt_memory_available(const char *root) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    size_t kib = number_in(path, "MemAvailable:"), least = kib < SIZE_MAX / 1024 ? kib * 1024 : SIZE_MAX;
    least = less(least, left_in_groups(root));
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return least;
    snprintf(path, sizeof path, "%s/proc/self/status", root);
    size_t mapped = number_in(path, "VmSize:");
    mapped = mapped < SIZE_MAX / 1024 ? mapped * 1024 : 0;
    return less(least, limit.rlim_cur > mapped ? (size_t)limit.rlim_cur - mapped : 0);
}
