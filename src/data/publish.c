/* How a result appears: written beside its destination, and renamed to it only when it is complete and on the disk. The
 * name it has until then says which process writes it, so that the next one to write to the same place can remove what
 * a killed one left, and never what another one is writing. */
#include "data/publish.h"

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

#define FORGOTTEN_SECONDS 86400 /* what nobody wrote to for a day is left over, wherever its writer was */

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

/* Calls visit(path) for every file in a directory, until one fails. */
static dt_status each_file(const char *directory, dt_status (*visit)(const char *path)) {
    DIR *listing = opendir(directory);
    if (!listing) return dt_fail(DT_ERR_IO, "%s: cannot be read: %s", directory, strerror(errno));
    dt_status status = dt_ok();
    char path[4096];
    for (struct dirent *entry; status.code == DT_OK && (entry = readdir(listing)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        status = dt_path_join(path, directory, entry->d_name);
        if (status.code == DT_OK) status = visit(path);
    }
    closedir(listing);
    return status;
}

static dt_status remove_file(const char *path) {
    unlink(path);
    return dt_ok();
}

/* A file, or a directory of files. */
static void discard(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0) return;
    if (S_ISDIR(info.st_mode)) each_file(path, remove_file);
    remove(path);
}

/* Removes what killed processes left beside `destination`. `now` is by the clock of the file system. */
static void remove_left_over(const char *destination, time_t now) {
    char *folder = dt_strdup(destination), path[4096];
    const char *slash = strrchr(destination, '/'), *name = slash ? slash + 1 : destination;
    DIR *listing = folder ? opendir(directory_of(folder)) : NULL;
    for (struct dirent *entry; listing && (entry = readdir(listing)) != NULL;) {
        size_t length = strlen(name);
        if (strncmp(entry->d_name, name, length) != 0 || strncmp(entry->d_name + length, ".tmp.", 5) != 0) continue;
        int used = snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash + 1 - destination) : 0, destination,
                            entry->d_name);
        if (used < (int)sizeof path && is_left_over(entry->d_name + length + 5, path, now)) discard(path);
    }
    if (listing) closedir(listing);
    dt_free(folder);
}

dt_status dt_publish_begin(dt_publication *p, const char *destination) {
    dt_process me = dt_process_self();
    size_t length = strlen(destination);
    while (length > 1 && destination[length - 1] == '/') length--;
    if (length >= sizeof p->destination) return dt_fail(DT_ERR_USAGE, "%.60s…: the name is too long", destination);
    snprintf(p->destination, sizeof p->destination, "%.*s", (int)length, destination);
    snprintf(p->temporary, sizeof p->temporary, "%s.tmp.%08x.%ld.%llu", p->destination, machine_of(&me), me.pid,
             me.started);
    /* Its clock is that of the times the leftovers have. */
    int fd;
    struct stat made;
    DT_TRY(dt_file_create(p->temporary, &fd));
    if (fstat(fd, &made) == 0) remove_left_over(p->destination, made.st_mtime);
    close(fd);
    return dt_ok();
}

dt_status dt_publish_end(dt_publication *p, dt_status status) {
    if (status.code == DT_OK && rename(p->temporary, p->destination) != 0)
        status =
            dt_fail(DT_ERR_IO, "%s: cannot take the place of %s: %s", p->temporary, p->destination, strerror(errno));
    if (status.code == DT_OK) return dt_fsync_path(directory_of(p->temporary));
    discard(p->temporary);
    return status;
}

dt_status dt_publish_file(const char *destination, dt_status (*write)(void *context, const char *path), void *context) {
    dt_publication p;
    DT_TRY(dt_file_check_target(destination));
    DT_TRY(dt_publish_begin(&p, destination));
    dt_status status = write(context, p.temporary);
    if (status.code == DT_OK) status = dt_fsync_path(p.temporary);
    return dt_publish_end(&p, status);
}

static dt_status check_directory(const char *destination) {
    struct stat info;
    if (lstat(destination, &info) != 0) return dt_ok();
    if (!S_ISDIR(info.st_mode))
        return dt_fail(DT_ERR_USAGE, "%s is %s; a directory is to be made there", destination,
                       dt_file_kind(info.st_mode));
    if (rmdir(destination) == 0) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "%s is a directory with something in it; name one that is new", destination);
}

dt_status dt_publish_directory(const char *destination, dt_status (*write)(void *context, const char *path),
                               void *context) {
    dt_publication p;
    DT_TRY(check_directory(destination));
    DT_TRY(dt_publish_begin(&p, destination));
    unlink(p.temporary);
    if (mkdir(p.temporary, 0777) != 0)
        return dt_fail(DT_ERR_IO, "%s: cannot be made: %s", p.temporary, strerror(errno));
    dt_status status = write(context, p.temporary);
    if (status.code == DT_OK) status = each_file(p.temporary, dt_fsync_path);
    if (status.code == DT_OK) status = dt_fsync_path(p.temporary);
    return dt_publish_end(&p, status);
}

/* ---- of importers ---- */

typedef struct h5_writer {
    dt_status (*write)(void *context, dt_h5 *file);
    void *context;
} h5_writer;

static dt_status write_h5(void *context, const char *path) {
    const h5_writer *own = context;
    dt_h5 *file;
    DT_TRY(dt_h5_create(&file, path));
    dt_status status = own->write(own->context, file);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

dt_status dt_import_publish(const char *destination, dt_status (*write)(void *context, dt_h5 *file), void *context) {
    return dt_publish_file(destination, write_h5, &(h5_writer){write, context});
}
