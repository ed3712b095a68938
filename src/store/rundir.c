/* The run directory. HDF5 is told to lock nothing (h5.c), so two jobs on one run would write over each other: its lock
 * is a lease (lease.c). A directory that holds files is taken for a run's only when it says that it is one, by a marker
 * that is written before anything else of it, or when it holds what earlier versions of the program leave: what a run
 * replaces and removes must be its own. */
#include "store/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "lease.h"
#include "store/journal.h"
#include "store_internal.h"

#define MARKER ".dtrain-run"

struct dt_rundir {
    dt_lease *lease;
    char path[4096];
    bool made, marked; /* here: the directory, and what says whose it is */
    bool discarded;
};

static dt_status make_directories(const char *path) {
    char part[4096];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = part + 1; *slash; slash++) {
        if (*slash != '/') continue;
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) return dt_fail(DT_ERR_IO, "%s: %s", part, strerror(errno));
        *slash = '/';
    }
    if (mkdir(part, 0777) != 0 && errno != EEXIST) return dt_fail(DT_ERR_IO, "%s: %s", part, strerror(errno));
    struct stat info;
    if (stat(part, &info) != 0 || !S_ISDIR(info.st_mode)) return dt_fail(DT_ERR_INPUT, "%s: not a directory", part);
    return dt_ok();
}

/* ---- whose directory it is ------------------------------------------------------------------------------------------
 */

/* Whether the file begins with `text`; an empty one does. */
static bool begins_with(const char *directory, const char *name, const char *text) {
    char path[4096], found[64];
    int fd;
    if (dt_path_join(path, directory, name).code != DT_OK || dt_file_open(path, &fd, NULL).code != DT_OK) return false;
    ssize_t got = read(fd, found, strlen(text));
    close(fd);
    return got == 0 || (got == (ssize_t)strlen(text) && memcmp(found, text, (size_t)got) == 0);
}

static bool has_marker(const char *directory) {
    char path[4096];
    struct stat info;
    return dt_path_join(path, directory, MARKER).code == DT_OK && lstat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* What versions before the marker leave: checkpoints, or an empty place for them beside metrics or a lock. */
static bool has_run_of_old(const char *directory) {
    char path[4096];
    if (dt_path_join(path, directory, "checkpoints").code != DT_OK) return false;
    DIR *listing = opendir(path);
    if (!listing) return false;
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(listing)) != NULL;) found = dt_is_checkpoint(entry->d_name);
    closedir(listing);
    return found || begins_with(directory, "metrics.jsonl", "{\"series\":") || begins_with(directory, "lock", "host ");
}

static bool is_empty(const char *directory, const char *name) {
    char path[4096];
    DIR *listing = dt_path_join(path, directory, name).code == DT_OK ? opendir(path) : NULL;
    if (!listing) return false;
    int count = 0;
    while (count <= 2 && readdir(listing)) count++;
    closedir(listing);
    return count <= 2; /* itself and what it is in */
}

/* Whether losing it would be no loss: what there is before a run has a marker, or on a volume of its own. */
static bool is_nothing(const char *directory, const char *name) {
    static const char *const names[] = {".", "..", "lost+found"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    if (strcmp(name, "checkpoints") == 0) return is_empty(directory, name);
    char path[4096];
    bool lock = strcmp(name, "lock") == 0 || strncmp(name, "lock.", 5) == 0;
    if (!lock || begins_with(directory, name, "dtrain lock ")) return lock;
    return dt_path_join(path, directory, name).code == DT_OK && access(path, F_OK) != 0; /* released meanwhile */
}

/* A name of what is in the directory, into name[256]; "" when it is as good as empty. */
static dt_status look_inside(const char *path, char name[256]) {
    DIR *listing = opendir(path);
    name[0] = '\0';
    if (!listing) return dt_fail(DT_ERR_IO, "%s: cannot be listed: %s", path, strerror(errno));
    for (struct dirent *entry; !name[0] && (entry = readdir(listing)) != NULL;)
        if (!is_nothing(path, entry->d_name)) snprintf(name, 256, "%s", entry->d_name);
    closedir(listing);
    return dt_ok();
}

static dt_status check_ours(const char *path) {
    char name[256];
    if (has_marker(path)) return dt_ok();
    DT_TRY(look_inside(path, name));
    if (!name[0] || has_run_of_old(path) || has_marker(path)) return dt_ok(); /* another job may just have begun */
    return dt_fail(
        DT_ERR_INPUT,
        "%s: is not empty and no run directory of dtrain (it holds %s); choose another with --run, for a run "
        "replaces and removes files in it",
        path, name);
}

dt_status dt_rundir_mark(dt_rundir *dir) {
    static const char text[] = "This is a run directory of dtrain.\n";
    char marker[4096];
    DT_TRY(dt_path_join(marker, dir->path, MARKER));
    int fd = open(marker, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return errno == EEXIST ? dt_ok() : dt_fail(DT_ERR_IO, "%s: cannot be made: %s", marker, strerror(errno));
    dir->marked = true;
    bool written = write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1;
    int reason = errno;
    close(fd);
    return written ? dt_ok() : dt_fail(DT_ERR_IO, "%s: cannot be written: %s", marker, strerror(reason));
}

/* ---- opening --------------------------------------------------------------------------------------------------------
 */

dt_status dt_rundir_open(dt_rundir **out, const char *path, double seconds) {
    *out = NULL;
    char checkpoints[4096], lock[4096];
    DT_TRY(dt_path_join(checkpoints, path, "checkpoints"));
    DT_TRY(dt_path_join(lock, path, "lock"));
    bool made = access(path, F_OK) != 0;
    DT_TRY(make_directories(path));
    DT_TRY(check_ours(path));
    DT_TRY(make_directories(checkpoints));
    dt_rundir *dir = dt_alloc(1, sizeof *dir);
    if (!dir) return dt_fail_memory("the run directory", sizeof *dir);
    snprintf(dir->path, sizeof dir->path, "%s", path);
    dir->made = made;
    dt_status status = dt_lease_create(&dir->lease, lock, path, seconds);
    if (status.code == DT_OK)
        *out = dir;
    else
        dt_free(dir);
    return status;
}

dt_status dt_rundir_lock(dt_rundir *dir, bool *taken) {
    return dt_lease_try(dir->lease, taken);
}

dt_status dt_rundir_check(dt_rundir *dir) {
    return dt_lease_check(dir->lease);
}

bool dt_rundir_is_lost(const dt_rundir *dir) {
    return dir && dt_lease_is_lost(dir->lease);
}

void dt_rundir_discard(dt_rundir *dir) {
    if (dir) dir->discarded = true;
}

/* Whether nothing but the lock is left of what was made here. */
static bool remove_made(const dt_rundir *dir) {
    static const char *const files[] = {"metrics.jsonl", "metrics.h5",  DT_METRICS_PART, DT_JOURNAL,
                                        "report.html",   "recipe.yaml", MARKER};
    char path[4096];
    if (dt_path_join(path, dir->path, "checkpoints").code != DT_OK) return false;
    if (rmdir(path) != 0 && errno != ENOENT) return false; /* something is in it */
    for (size_t i = 0; i < sizeof files / sizeof *files && dir->marked; i++)
        if (dt_path_join(path, dir->path, files[i]).code == DT_OK) unlink(path);
    return true;
}

void dt_rundir_close(dt_rundir *dir) {
    if (!dir) return;
    bool removed = dir->discarded && (dir->made || dir->marked) && remove_made(dir);
    dt_lease_destroy(dir->lease);
    if (removed && dir->made) rmdir(dir->path);
    dt_free(dir);
}
