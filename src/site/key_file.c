/* Files of keys: three lines of text, read and written past the buffers of stdio, which would keep a copy. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "key_internal.h"
#include "secret.h"
#include "store/h5.h"

#define FIRST_LINE "dtrain key of a site, format 1: whoever has it is this site\n"
#define NAME_LINE "name: "
#define SECRET_LINE "\nsecret: "
#define HEX (2 * DT_SEED_BYTES)
#define ROOM 512 /* bytes that such a file fits into */

/* ---- where ---- */

dt_status dt_site_key_path(char out[4096], const char *name, const char *given) {
    const char *named = given && *given ? given : getenv("DTRAIN_SITE_KEY");
    if (named && *named) {
        if (snprintf(out, 4096, "%s", named) < 4096) return dt_ok();
        return dt_fail(DT_ERR_USAGE, "%.60s…: the path is too long", named);
    }
    return dt_site_key_place(out, name);
}

dt_status dt_site_key_place(char out[4096], const char *name) {
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int length = -1;
    if (config && *config == '/')
        length = snprintf(out, 4096, "%s/dtrain/%s.key", config, name);
    else if (home && *home)
        length = snprintf(out, 4096, "%s/.config/dtrain/%s.key", home, name);
    if (length > 0 && length < 4096) return dt_ok();
    return dt_fail(DT_ERR_USAGE,
                   "no place for the key %s: neither $XDG_CONFIG_HOME nor $HOME names one; --key FILE does", name);
}

/* ---- writing ---- */

static dt_status write_whole(int fd, const char *path, const char *text, size_t length) {
    size_t done = 0;
    while (done < length) {
        ssize_t more = write(fd, text + done, length - done);
        if (more < 0 && errno == EINTR) continue;
        if (more <= 0) return dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
        done += (size_t)more;
    }
    return fsync(fd) == 0 ? dt_ok() : dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
}

/* The last two directories on the way to it, as ~/.config/dtrain, are made where they are missing. */
static dt_status make_directory(const char *path, char directory[4096]) {
    snprintf(directory, 4096, "%s", path);
    char *slash = strrchr(directory, '/');
    if (!slash) {
        snprintf(directory, 4096, ".");
        return dt_ok();
    }
    slash[slash == directory] = '\0';
    char *above = strrchr(directory, '/');
    if (above && above != directory) {
        *above = '\0';
        mkdir(directory, 0700);
        *above = '/';
    }
    if (mkdir(directory, 0700) == 0 || errno == EEXIST) return dt_ok();
    return dt_fail(DT_ERR_IO, "%s: cannot be made: %s", directory, strerror(errno));
}

/* Not by renaming, which would take the place of a key that is there. */
static dt_status put_in_place(const char *temporary, const char *path) {
    if (link(temporary, path) == 0) return dt_ok();
    if (errno == EEXIST)
        return dt_fail(DT_ERR_USAGE, "%s: is there, and a key is never overwritten; name another file with --out",
                       path);
    int reason = errno; /* a file system without hard links */
    if (renameat2(-1, temporary, -1, path, RENAME_NOREPLACE) == 0) return dt_ok();
    return dt_fail(DT_ERR_IO, "%s: cannot be made: %s", path, strerror(errno == EINVAL ? reason : errno));
}

dt_status dt_site_key_write(const dt_site_key *key, const char *path) {
    char directory[4096], temporary[4096 + 32], hex[HEX + 1];
    void *memory;
    int fd;
    struct stat there;
    if (lstat(path, &there) == 0)
        return dt_fail(DT_ERR_USAGE, "%s: is there, and a key is never overwritten; name another file with --out",
                       path);
    DT_TRY(make_directory(path, directory));
    DT_TRY(dt_secret_alloc(&memory, ROOM));
    char *text = memory;
    sodium_bin2hex(hex, sizeof hex, key->seed, sizeof key->seed);
    int length = snprintf(text, ROOM, FIRST_LINE NAME_LINE "%s" SECRET_LINE "%s\n", key->name, hex);
    sodium_memzero(hex, sizeof hex);
    snprintf(temporary, sizeof temporary, "%s.tmp.%ld", path, (long)getpid());
    dt_status status = dt_file_create_private(temporary, &fd);
    if (status.code == DT_OK) {
        status = write_whole(fd, temporary, text, (size_t)length);
        close(fd);
        if (status.code == DT_OK) status = put_in_place(temporary, path);
        unlink(temporary);
        if (status.code == DT_OK) status = dt_fsync_path(directory);
    }
    dt_secret_free(memory);
    return status;
}

/* ---- reading ---- */

static dt_status check_private(int fd, const char *path) {
    struct stat about;
    if (fstat(fd, &about) != 0) return dt_fail(DT_ERR_IO, "%s: cannot stat: %s", path, strerror(errno));
    if (about.st_uid != geteuid())
        return dt_fail(DT_ERR_INPUT, "%s: belongs to user %u, and this is user %u; a key is its owner's", path,
                       (unsigned)about.st_uid, (unsigned)geteuid());
    if ((about.st_mode & 077) == 0) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "%s: others may read or write it (mode %04o): chmod 600, and think of making a new key", path,
                   (unsigned)about.st_mode & 07777);
}

static dt_status fail_form(const char *path) {
    return dt_fail(DT_ERR_CORRUPT, "%s: is no key of a site (dtrain keys make writes one)", path);
}

/* text[length], ended by a 0, in secret memory. */
static dt_status parse(dt_site_key **out, const char *path, const char *text, size_t length) {
    char name[DT_SITE_NAME];
    const char *begin = text + strlen(FIRST_LINE NAME_LINE);
    if (strlen(text) != length || strncmp(text, FIRST_LINE NAME_LINE, strlen(FIRST_LINE NAME_LINE)) != 0)
        return fail_form(path);
    const char *end = strstr(begin, SECRET_LINE);
    if (!end || end == begin || (size_t)(end - begin) >= sizeof name) return fail_form(path);
    snprintf(name, sizeof name, "%.*s", (int)(end - begin), begin);
    const char *hex = end + strlen(SECRET_LINE);
    if (strlen(hex) != HEX + 1 || hex[HEX] != '\n') return fail_form(path);
    DT_TRY(dt_site_key_new(out, name));
    size_t found = 0;
    if (sodium_hex2bin((*out)->seed, DT_SEED_BYTES, hex, HEX, NULL, &found, NULL) == 0 && found == DT_SEED_BYTES) {
        dt_site_key_derive(*out);
        return dt_ok();
    }
    dt_site_key_close(*out);
    *out = NULL;
    return fail_form(path);
}

static dt_status read_text(int fd, const char *path, char *text, size_t *length) {
    for (*length = 0; *length < ROOM - 1;) {
        ssize_t more = read(fd, text + *length, ROOM - 1 - *length);
        if (more < 0 && errno == EINTR) continue;
        if (more < 0) return dt_fail(DT_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (more == 0) break;
        *length += (size_t)more;
    }
    text[*length] = '\0';
    return dt_ok();
}

dt_status dt_site_key_read(dt_site_key **out, const char *path) {
    int fd;
    void *memory = NULL;
    size_t length = 0;
    *out = NULL;
    DT_TRY(dt_file_open(path, &fd, NULL));
    dt_status status = check_private(fd, path);
    if (status.code == DT_OK) status = dt_secret_alloc(&memory, ROOM);
    if (status.code == DT_OK) status = read_text(fd, path, memory, &length);
    close(fd);
    if (status.code == DT_OK) status = parse(out, path, memory, length);
    dt_secret_free(memory);
    return status;
}
