/* The checkpoints of a directory: their names, which there are, and which are kept. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "store/checkpoint.h"
#include "store_internal.h"

/* The step of "step-000000042.h5"; -1 for other names. */
static int64_t step_of(const char *name) {
    if (strncmp(name, "step-", 5) != 0) return -1;
    size_t digits = strspn(name + 5, "0123456789");
    if (digits < 1 || digits > 18 || strcmp(name + 5 + digits, ".h5") != 0) return -1;
    return strtoll(name + 5, NULL, 10);
}

bool dt_is_checkpoint(const char *name) {
    return step_of(name) >= 0;
}

/* "step-000000042.h5.tmp". */
bool dt_checkpoint_is_unfinished(const char *path) {
    char stem[64];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t length = strlen(name);
    if (length < 5 || length >= sizeof stem || strcmp(name + length - 4, ".tmp") != 0) return false;
    snprintf(stem, sizeof stem, "%.*s", (int)length - 4, name);
    return dt_is_checkpoint(stem);
}

static int newer_first(const void *a, const void *b) {
    int64_t x = step_of(strrchr(a, '/') + 1), y = step_of(strrchr(b, '/') + 1);
    return (x < y) - (x > y);
}

dt_status dt_checkpoint_list(const char *directory, char (**paths)[4096], int *count) {
    *paths = NULL;
    *count = 0;
    DIR *dir = opendir(directory);
    if (!dir && errno == ENOENT) return dt_ok();
    if (!dir) return dt_fail(DT_ERR_IO, "%s: %s", directory, strerror(errno));
    dt_status status = dt_ok();
    int capacity = 0;
    while (status.code == DT_OK) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry && errno) status = dt_fail(DT_ERR_IO, "%s: cannot be listed: %s", directory, strerror(errno));
        if (!entry) break;
        if (step_of(entry->d_name) < 0) continue;
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            char(*grown)[4096] = realloc(*paths, (size_t)capacity * sizeof *grown);
            if (!grown) {
                status = dt_fail_memory("a list of checkpoints", (size_t)capacity * sizeof *grown);
                break;
            }
            *paths = grown;
        }
        status = dt_path_join((*paths)[*count], directory, entry->d_name);
        ++*count;
    }
    closedir(dir);
    if (status.code == DT_OK && *count > 1) qsort(*paths, (size_t)*count, sizeof **paths, newer_first);
    if (status.code == DT_OK) return status;
    dt_free(*paths);
    *paths = NULL;
    *count = 0;
    return status;
}

static void remove_leftovers(const char *directory) {
    DIR *dir = opendir(directory);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[4096];
        if (dt_checkpoint_is_unfinished(entry->d_name) && dt_path_join(path, directory, entry->d_name).code == DT_OK)
            unlink(path);
    }
    closedir(dir);
}

dt_status dt_checkpoint_prune(const char *directory, int64_t keep, int64_t keep_every, int64_t keep_step) {
    remove_leftovers(directory);
    char(*paths)[4096];
    int count;
    if (keep <= 0) return dt_ok();
    DT_TRY(dt_checkpoint_list(directory, &paths, &count));
    for (int i = 0; i < count; i++) {
        int64_t step = step_of(strrchr(paths[i], '/') + 1);
        if (i < keep || step == keep_step || (keep_every > 0 && step > 0 && step % keep_every == 0)) continue;
        if (unlink(paths[i]) != 0 && errno != ENOENT) {
            dt_status status = dt_fail(DT_ERR_IO, "%s: cannot be removed: %s", paths[i], strerror(errno));
            dt_free(paths);
            return status;
        }
    }
    dt_free(paths);
    return dt_ok();
}
