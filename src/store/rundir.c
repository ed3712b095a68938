/* The run directory and its lock.
 *
 * Parallel HDF5 opens take no lock, so two jobs on one run would write over each other; the lock file prevents it. It
 * is made with link(2), which is atomic on NFS too, and holds host, pid, the process's start time (against reuse of
 * pids) and the scheduler's job id. A lock is stale when its process is gone, which can be told on its own host only,
 * or when it carries our own job id, as after a requeue on another machine. Of several jobs that find a stale lock one
 * claims the right to remove it, with a second file made like the first. */
#include "dtrain/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dtrain/clock.h"
#include "dtrain/h5.h"
#include "dtrain/log.h"
#include "dtrain/memory.h"

struct dt_rundir {
    char lock[4096];
};

typedef struct owner {
    char host[256], job[64], since[32];
    long pid;
    unsigned long long started; /* clock ticks after boot */
} owner;

dt_status dt_path_join(char out[4096], const char *directory, const char *name) {
    size_t length = strlen(directory);
    const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
    if (snprintf(out, 4096, "%s%s%s", directory, slash, name) >= 4096)
        return dt_fail(DT_ERR_INPUT, "%.60s…/%.60s: the path is too long", directory, name);
    return dt_ok();
}

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

/* ---- the lock -------------------------------------------------------------------------------------------------------
 */

/* When a process was started, in clock ticks after boot; 0 when it is gone, or a zombie nobody has waited for. */
static unsigned long long start_time(long pid) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    char *got = fgets(line, sizeof line, file);
    fclose(file);
    char *field = got ? strrchr(line, ')') : NULL; /* the name before it may hold anything */
    if (!field || strlen(field) < 3 || strchr("ZXx", field[2])) return 0;
    for (int i = 2; field && i < 22; i++) field = strchr(field + 1, ' ');
    return field ? strtoull(field, NULL, 10) : 0;
}

static const char *job_id(void) {
    static const char *const names[] = {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *job = getenv(names[i]);
        if (job && *job) return job;
    }
    return "-";
}

static owner myself(void) {
    owner me;
    memset(&me, 0, sizeof me);
    gethostname(me.host, sizeof me.host - 1);
    me.pid = getpid();
    me.started = start_time(me.pid);
    snprintf(me.job, sizeof me.job, "%s", job_id());
    for (char *c = me.job; (c = strpbrk(c, " \t\n\v\f\r")) != NULL;) *c = '_'; /* the lock is read word by word */
    dt_clock_utc(me.since);
    return me;
}

static bool read_owner(const char *path, owner *o) {
    memset(o, 0, sizeof *o);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    int fields = fscanf(file, "host %255s pid %ld started %llu job %63s since %31s", o->host, &o->pid, &o->started,
                        o->job, o->since);
    fclose(file);
    return fields == 5;
}

static bool is_same(const owner *a, const owner *b) {
    return a->pid == b->pid && a->started == b->started && strcmp(a->host, b->host) == 0;
}

static bool is_stale(const owner *holder, const owner *me) {
    if (strcmp(holder->host, me->host) == 0) return start_time(holder->pid) != holder->started;
    return strcmp(holder->job, "-") != 0 && strcmp(holder->job, me->job) == 0;
}

/* *taken: the lock is ours. */
static dt_status try_lock(const char *lock, const owner *me, bool *taken) {
    char own[4096 + 768];
    snprintf(own, sizeof own, "%s.%s.%ld", lock, me->host, me->pid);
    FILE *file = fopen(own, "w");
    if (!file) return dt_fail(DT_ERR_IO, "%s: %s", own, strerror(errno));
    int printed = fprintf(file, "host %s pid %ld started %llu job %s since %s\n", me->host, me->pid, me->started,
                          me->job, me->since);
    bool written = fclose(file) == 0 && printed > 0;
    int reason = errno;
    *taken = written && link(own, lock) == 0;
    if (written) reason = *taken ? 0 : errno;
    unlink(own);
    return *taken || reason == EEXIST ? dt_ok() : dt_fail(DT_ERR_IO, "%s: %s", lock, strerror(reason));
}

/* Of all who find a lock stale the first claims its owner's place, and only who holds that claim removes the lock: none
 * removes one that was taken over meanwhile. */
static dt_status remove_stale(const char *lock, const char *path, const owner *holder, const owner *me) {
    char claim[4096 + 384];
    snprintf(claim, sizeof claim, "%s.stale.%s.%ld.%llu", lock, holder->host, holder->pid, holder->started);
    bool claimed = false;
    DT_TRY(try_lock(claim, me, &claimed));
    if (!claimed) return dt_ok();
    owner found;
    if (read_owner(lock, &found) && is_same(&found, holder) && unlink(lock) == 0)
        dt_log_warn("%s: taking over from process %ld on %s, which is gone (since %s)", path, holder->pid, holder->host,
                    holder->since);
    unlink(claim);
    return dt_ok();
}

static dt_status take_lock(const char *lock, const char *path) {
    owner me = myself();
    for (int attempt = 0; attempt < 5; attempt++) {
        bool taken = false;
        DT_TRY(try_lock(lock, &me, &taken));
        if (taken) return dt_ok();
        owner holder;
        if (!read_owner(lock, &holder)) {
            if (access(lock, F_OK) != 0) continue; /* released meanwhile */
            return dt_fail(DT_ERR_BUSY, "%s: its lock cannot be read; remove %s if no job uses the run", path, lock);
        }
        if (!is_stale(&holder, &me))
            return dt_fail(DT_ERR_BUSY,
                           "%s is in use by process %ld on %s (job %s, since %s); if that job is gone, remove %s", path,
                           holder.pid, holder.host, holder.job, holder.since, lock);
        DT_TRY(remove_stale(lock, path, &holder, &me));
    }
    return dt_fail(DT_ERR_BUSY, "%s: another job is taking the lock; try again, and if there is none remove %s*", path,
                   lock);
}

dt_status dt_rundir_open(dt_rundir **out, const char *path) {
    *out = NULL;
    char checkpoints[4096];
    DT_TRY(dt_path_join(checkpoints, path, "checkpoints"));
    DT_TRY(make_directories(checkpoints));
    dt_rundir *dir = dt_alloc(1, sizeof *dir);
    if (!dir) return dt_fail_memory("the run directory", sizeof *dir);
    dt_status status = dt_path_join(dir->lock, path, "lock");
    if (status.code == DT_OK) status = take_lock(dir->lock, path);
    if (status.code == DT_OK)
        *out = dir;
    else
        dt_free(dir);
    return status;
}

void dt_rundir_close(dt_rundir *dir) {
    if (!dir) return;
    owner holder, me = myself();
    if (read_owner(dir->lock, &holder) && is_same(&holder, &me)) unlink(dir->lock);
    dt_free(dir);
}
