/* What the files of a round are called, and the directories they are in. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "desk.h"

void dt_desk_name(char out[DT_DESK_NAME], int64_t round, unsigned stage) {
    int length = snprintf(out, DT_DESK_NAME, "round-%08lld", (long long)round);
    if (stage) snprintf(out + length, DT_DESK_NAME - (size_t)length, "-%u", stage);
}

bool dt_desk_round_of(const char *name, int64_t *round) {
    static const char begins[] = "round-";
    char *end;
    if (strncmp(name, begins, sizeof begins - 1) != 0) return false;
    const char *digits = name + sizeof begins - 1;
    if (*digits < '0' || *digits > '9') return false;
    errno = 0;
    *round = strtoll(digits, &end, 10);
    if (errno != 0 || end - digits < 8) return false;
    return *end == '\0' || (end[0] == '-' && end[1] >= '1' && end[1] <= '9' && end[2] == '\0');
}

void dt_desk_file_name(const dt_members *members, const dt_message *message, char out[DT_SITE_NAME + 24]) {
    char hex[17];
    sodium_bin2hex(hex, sizeof hex, message->id, 8);
    const char *kind = message->kind == DT_MESSAGE_VOTE ? "vote" : message->kind == DT_MESSAGE_STATE ? "state" : "part";
    snprintf(out, DT_SITE_NAME + 24, "%s-%s.%s", members->list[message->member].name, hex, kind);
}

dt_status dt_desk_make_directory(char out[4096], const char *above, const char *name) {
    struct stat parent, made;
    DT_TRY(dt_path_join(out, above, name));
    if (mkdir(out, 0777) == 0) {
        /* Whoever may write to the mailbox may write to this. */
        if (stat(above, &parent) == 0 && stat(out, &made) == 0 && (made.st_mode & 07777) != (parent.st_mode & 07777))
            (void)!chmod(out, parent.st_mode & 07777);
        return dt_ok();
    }
    if (errno == EEXIST && lstat(out, &made) == 0 && S_ISDIR(made.st_mode)) return dt_ok();
    return dt_fail(DT_ERR_IO, "%s: cannot be made: %s", out, strerror(errno));
}

void dt_desk_clear(const char *path) {
    struct stat there;
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode)) unlink(path);
}
