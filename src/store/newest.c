/* The checkpoint to go on from. Damaged ones are passed over, each with a word; one that cannot be read for another
 * reason, such as missing rights or too many open files, says nothing about what is in it: taking an older one then
 * would lose steps in silence, and advice to start over would lose them all. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "store/checkpoint.h"

#define TRIES 10 /* a run that goes on removes old checkpoints while they are looked at */

bool dt_checkpoint_vanished(const char *path) {
    return access(path, F_OK) != 0 && errno == ENOENT;
}

/* Of those listed. *vanished: one was removed before it was read. */
static dt_status newest_of(char (*paths)[4096], int count, char path[4096], bool *vanished) {
    for (int i = 0; i < count; i++) {
        dt_status bad = dt_checkpoint_verify(paths[i], NULL);
        if (bad.code == DT_OK) {
            snprintf(path, 4096, "%s", paths[i]);
            return bad;
        }
        *vanished = dt_checkpoint_vanished(paths[i]);
        if (*vanished) return dt_ok();
        if (bad.code == DT_ERR_IO || bad.code == DT_ERR_MEMORY)
            return dt_fail(bad.code, "%s; that is no damage: remove nothing, and try again when it can be read",
                           bad.message);
        dt_log_warn("%s; %s", bad.message, i + 1 < count ? "trying the one before" : "there is no other");
    }
    return dt_ok();
}

dt_status dt_checkpoint_newest(const char *directory, char path[4096]) {
    path[0] = '\0';
    for (int try = 0; try < TRIES; try++) {
        char(*paths)[4096];
        int count;
        bool vanished = false;
        DT_TRY(dt_checkpoint_list(directory, &paths, &count));
        dt_status status = newest_of(paths, count, path, &vanished);
        dt_free(paths);
        DT_TRY(status);
        if (count == 0 || path[0]) return dt_ok();
        if (!vanished)
            return dt_fail(DT_ERR_CORRUPT,
                           "%s: none of its %d checkpoint%s is whole; remove the directory to start over", directory,
                           count, count == 1 ? "" : "s");
    }
    return dt_fail(DT_ERR_BUSY, "%s: checkpoints are removed as fast as they are found; try again", directory);
}
