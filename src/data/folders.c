/* Listing folders of pictures, in the order of their names, so that a data set is the same wherever it is listed. */
#include "folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"

#define MOST_CLASSES 65536
#define MOST_DEPTH 16 /* folders inside a class's */

void dt_folder_finish(dt_folder *folder) {
    for (int64_t i = 0; i < folder->count; i++) dt_free(folder->files[i].path);
    for (int32_t i = 0; i < folder->class_count; i++) dt_free(folder->classes[i]);
    dt_free(folder->files);
    dt_free(folder->classes);
    dt_free(folder->passed);
    *folder = (dt_folder){0};
}

/* By the ends of names: what this program reads, and pictures of other kinds, of which it says so when it opens them.
 */
static bool may_be_picture(const char *name) {
    static const char *const ends[] = {"png",  "jpg",  "jpeg", "jpe", "jfif", "gif", "bmp",  "webp", "tif",
                                       "tiff", "heic", "avif", "svg", "jp2",  "jxl", "apng", "mng"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(dot + 1, ends[i]) == 0) return true;
    return false;
}

static dt_status add_file(dt_folder *out, char *path, int32_t class) {
    if (out->count == out->room) {
        int64_t room = out->room ? 2 * out->room : 256;
        dt_listed *files = dt_alloc((size_t)room, sizeof *files);
        if (!files) return dt_fail_memory("a list of files", (size_t)room * sizeof *files);
        if (out->files) memcpy(files, out->files, (size_t)out->count * sizeof *files);
        dt_free(out->files);
        out->files = files;
        out->room = room;
    }
    out->files[out->count++] = (dt_listed){path, class};
    return dt_ok();
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_shown(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static dt_status take_file(dt_folder *out, const char *path, const char *name, int32_t class) {
    bool picture = may_be_picture(name);
    if (!picture && out->passed_count++ > 0) return dt_ok();
    char *copy = dt_strdup(path);
    if (!copy) return dt_fail_memory("a list of files", strlen(path));
    if (picture) return add_file(out, copy, class);
    out->passed = copy;
    return dt_ok();
}

static int part_of(const char *name) {
    static const char *const names[] = {"train", "test", "validation", "val", "valid"};
    for (int i = 0; i < 5; i++)
        if (strcmp(name, names[i]) == 0) return i < DT_FOLDER_PARTS ? i : DT_FOLDER_PARTS - 1;
    return -1;
}

static dt_status list(dt_folder *out, const char *folder, int32_t class, int depth);

static dt_status take_class(dt_folder *out, const char *path, const char *name) {
    if (out->class_count == MOST_CLASSES) return dt_fail(DT_ERR_INPUT, "%s: more than %d folders", path, MOST_CLASSES);
    int64_t before = out->count;
    char *copy = out->classes[out->class_count] = dt_strdup(name);
    if (!copy) return dt_fail_memory("the names of classes", strlen(name));
    DT_TRY(list(out, path, out->class_count++, 0));
    return out->count > before ? dt_ok() : dt_fail(DT_ERR_INPUT, "%s: there is no picture in the folder", path);
}

/* A folder inside that of a class, whose pictures are of the class. */
static dt_status take_inner(dt_folder *out, const char *path, const char *name, int32_t class, int depth) {
    if (part_of(name) >= 0)
        return dt_fail(DT_ERR_INPUT,
                       "%s: a folder for a part of the data inside that of a class; parts are above classes, as in "
                       "FOLDER/%s/%s/",
                       path, name, out->classes[class]);
    if (depth == MOST_DEPTH)
        return dt_fail(DT_ERR_INPUT, "%s: more than %d folders inside each other (a link may lead back)", path,
                       MOST_DEPTH);
    int64_t before = out->count;
    DT_TRY(list(out, path, class, depth + 1));
    if (depth == 0) out->beneath += out->count - before;
    return dt_ok();
}

static dt_status take_entry(dt_folder *out, const char *folder, const char *name, int32_t class, int depth) {
    char path[4096];
    struct stat about;
    DT_TRY(dt_path_join(path, folder, name));
    if (stat(path, &about) != 0) return dt_fail(DT_ERR_IO, "%s: cannot be looked at: %s", path, strerror(errno));
    if (!S_ISDIR(about.st_mode)) return take_file(out, path, name, class);
    if (class < 0) return take_class(out, path, name);
    return take_inner(out, path, name, class, depth);
}

static dt_status take_entries(dt_folder *out, const char *folder, struct dirent **entries, int count, int32_t class,
                              int depth) {
    if (class < 0) {
        out->classes = dt_alloc((size_t)count + 1, sizeof *out->classes);
        if (!out->classes) return dt_fail_memory("the names of classes", (size_t)count * sizeof *out->classes);
    }
    for (int i = 0; i < count; i++) DT_TRY(take_entry(out, folder, entries[i]->d_name, class, depth));
    return dt_ok();
}

static dt_status list(dt_folder *out, const char *folder, int32_t class, int depth) {
    struct dirent **entries;
    int count = scandir(folder, &entries, is_shown, by_name);
    if (count < 0) return dt_fail(DT_ERR_IO, "%s: cannot be listed: %s", folder, strerror(errno));
    dt_status status = take_entries(out, folder, entries, count, class, depth);
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    return status;
}

dt_status dt_folder_check_only(const dt_folder *listed, const char *folder) {
    if (listed->class_count != 1 || listed->beneath < listed->count) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "%s: its one folder, %s, has pictures in folders alone; if these are the classes, name %s/%s",
                   folder, listed->classes[0], folder, listed->classes[0]);
}

dt_status dt_folder_list(dt_folder *out, const char *folder) {
    struct stat about;
    *out = (dt_folder){0};
    if (stat(folder, &about) == 0 && !S_ISDIR(about.st_mode))
        return dt_fail(DT_ERR_INPUT, "%s: is no folder; pictures are in FOLDER/CLASS/", folder);
    DT_TRY(list(out, folder, -1, 0));
    if (out->count == 0) return dt_fail(DT_ERR_INPUT, "%s: there is no picture in the folder", folder);
    for (int64_t i = 0; i < out->count && out->class_count > 0; i++)
        if (out->files[i].class < 0)
            return dt_fail(DT_ERR_INPUT, "%s: a picture beside the folders of classes; each is in one",
                           out->files[i].path);
    return dt_ok();
}

/* ---- parts ---- */

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

dt_status dt_folder_parts(char out[DT_FOLDER_PARTS][4096], const char *folder) {
    struct dirent **entries;
    bool others = false;
    dt_status status = dt_ok();
    for (int i = 0; i < DT_FOLDER_PARTS; i++) out[i][0] = '\0';
    int count = scandir(folder, &entries, is_shown, by_name);
    for (int i = 0; i < count; i++) {
        char path[4096];
        int part = part_of(entries[i]->d_name);
        dt_status joined = dt_path_join(path, folder, entries[i]->d_name);
        bool within = joined.code == DT_OK && is_folder(path);
        if (within && part >= 0 && out[part][0])
            status = dt_fail(DT_ERR_INPUT, "%s and %s: one of them is for validation, not both", out[part], path);
        if (within && part >= 0) memcpy(out[part], path, strlen(path) + 1);
        others |= within && part < 0;
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    if (out[0][0] && !others) return status;
    for (int i = 0; i < DT_FOLDER_PARTS; i++) out[i][0] = '\0';
    if (strlen(folder) >= 4096) return dt_fail(DT_ERR_INPUT, "%.60s…: the path is too long", folder);
    memcpy(out[0], folder, strlen(folder) + 1);
    return dt_ok();
}
