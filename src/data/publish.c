/* How an import's result appears: written beside its destination, and renamed over it only when it is complete and on
 * the disk. The name it has until then says which process writes it, so that the next import to the same place can
 * remove what a killed one left, and never what another one is writing. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/process.h"
#include "import_internal.h"

#define FORGOTTEN_SECONDS 86400 /* an import that wrote nothing for a day is no more, wherever it was */

dt_status dt_import_check(const dt_import *import) {
    const char *destination = import->destination;
    struct stat there, source;
    DT_TRY(dt_file_check_target(destination));
    if (lstat(destination, &there) != 0) return dt_ok();
    for (int i = 0; i < import->source_count; i++)
        if (stat(import->sources[i], &source) == 0 && source.st_dev == there.st_dev && source.st_ino == there.st_ino)
            return dt_fail(DT_ERR_USAGE, "%s is both a source and the destination; the last file named is written",
                           destination);
    return dt_ok();
}

/* The directory `path` is in. `path` is cut at its last slash. */
static const char *directory_of(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = '\0';
    return slash ? path : ".";
}

static uint32_t machine_of(const dt_process *process) {
    return (uint32_t)XXH3_64bits_withSeed(process->boot, strlen(process->boot), process->space);
}

/* Whether the process that writes, or wrote, a temporary file is no more. `name` is what follows ".tmp.". */
static bool is_left_over(const char *name, const char *path, time_t now) {
    dt_process me = dt_process_self(), writer = me;
    unsigned machine;
    int length = 0;
    if (sscanf(name, "%8x.%ld.%llu%n", &machine, &writer.pid, &writer.started, &length) != 3 || name[length])
        return false;
    if (machine == machine_of(&me)) return dt_process_fate(&writer) == DT_FATE_GONE;
    struct stat about;
    return lstat(path, &about) == 0 && now - about.st_mtime > FORGOTTEN_SECONDS;
}

/* Removes what killed imports to the same destination left beside it. `now` is by the clock of the file system. */
static void remove_left_over(const char *destination, time_t now) {
    char *folder = dt_strdup(destination), path[4096];
    const char *slash = strrchr(destination, '/'), *name = slash ? slash + 1 : destination;
    DIR *listing = folder ? opendir(directory_of(folder)) : NULL;
    for (struct dirent *entry; listing && (entry = readdir(listing)) != NULL;) {
        size_t length = strlen(name);
        if (strncmp(entry->d_name, name, length) != 0 || strncmp(entry->d_name + length, ".tmp.", 5) != 0) continue;
        int used = snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash + 1 - destination) : 0, destination,
                            entry->d_name);
        if (used < (int)sizeof path && is_left_over(entry->d_name + length + 5, path, now)) unlink(path);
    }
    if (listing) closedir(listing);
    dt_free(folder);
}

static dt_status write_file(const char *path, const char *destination, dt_status (*write)(void *context, dt_h5 *file),
                            void *context) {
    dt_h5 *file;
    DT_TRY(dt_h5_create(&file, path));
    struct stat made;
    if (stat(path, &made) == 0) remove_left_over(destination, made.st_mtime);
    dt_status status = write(context, file);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

dt_status dt_import_publish(const char *destination, dt_status (*write)(void *context, dt_h5 *file), void *context) {
    dt_process me = dt_process_self();
    size_t size = strlen(destination) + 64;
    char *temporary = dt_alloc(size, 1);
    if (!temporary) return dt_fail_memory("a file name", size);
    snprintf(temporary, size, "%s.tmp.%08x.%ld.%llu", destination, machine_of(&me), me.pid, me.started);
    dt_status status = write_file(temporary, destination, write, context);
    if (status.code == DT_OK) status = dt_fsync_path(temporary);
    if (status.code == DT_OK && rename(temporary, destination) != 0)
        status = dt_fail(DT_ERR_IO, "%s: cannot take the place of %s: %s", temporary, destination, strerror(errno));
    if (status.code != DT_OK)
        unlink(temporary);
    else
        status = dt_fsync_path(directory_of(temporary));
    dt_free(temporary);
    return status;
}
