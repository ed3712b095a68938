/* For tests that work with files: a directory for each of them, and what is in it. */
#ifndef DTRAIN_TESTS_FOLDER_H
#define DTRAIN_TESTS_FOLDER_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "suite.h"

static char directory[64];

static inline void enter_directory(void) {
    snprintf(directory, sizeof directory, "/tmp/dtrain-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    dt_log_setup(DT_LOG_QUIET, 0);
    static const char *const schedulers[] = {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"};
    for (int i = 0; i < COUNT(schedulers); i++) unsetenv(schedulers[i]);
}

static inline void remove_tree(const char *path) {
    DIR *listing = opendir(path);
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        char inside[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (remove(inside) != 0) remove_tree(inside);
    }
    if (listing) closedir(listing);
    remove(path);
}

static inline void leave_directory(void) {
    ck_assert_int_eq(chdir("/"), 0);
    remove_tree(directory);
}

static inline int compare_texts(const void *a, const void *b) {
    return strcmp(a, b);
}

/* The names in a directory, sorted, a space after each. */
static inline const char *names_in(const char *path) {
    static char all[4096];
    char names[64][64];
    int count = 0;
    DIR *listing = opendir(path);
    ck_assert_ptr_nonnull(listing);
    for (struct dirent *entry; (entry = readdir(listing)) && count < COUNT(names);)
        if (entry->d_name[0] != '.') snprintf(names[count++], sizeof names[0], "%s", entry->d_name);
    closedir(listing);
    qsort(names, (size_t)count, sizeof names[0], compare_texts);
    all[0] = '\0';
    for (int i = 0, used = 0; i < count; i++) used += snprintf(all + used, sizeof all - (size_t)used, "%s ", names[i]);
    return all;
}

static inline void put_file(const char *name, const void *bytes, size_t count) {
    FILE *out = fopen(name, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert(fwrite(bytes, 1, count, out) == count);
    ck_assert_int_eq(fclose(out), 0);
}

static inline void put_text(const char *name, const char *text) {
    put_file(name, text, strlen(text));
}

/* A file's bytes, to free; a zero follows them. */
static inline char *file_bytes(const char *name, size_t *count) {
    FILE *in = fopen(name, "rb");
    ck_assert_ptr_nonnull(in);
    struct stat info;
    ck_assert_int_eq(fstat(fileno(in), &info), 0);
    *count = (size_t)info.st_size;
    char *bytes = calloc(*count + 1, 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert(fread(bytes, 1, *count, in) == *count);
    fclose(in);
    return bytes;
}

static inline void assert_file_is(const char *name, const char *text) {
    size_t count;
    char *found = file_bytes(name, &count);
    ck_assert_str_eq(found, text);
    free(found);
}

static inline void assert_fails(dt_status status, dt_code code, const char *first, const char *second) {
    ck_assert_msg(status.code == code, "code %d instead of %d: %s", status.code, code, status.message);
    ck_assert_msg(strstr(status.message, first) != NULL, "\"%s\" does not say \"%s\"", status.message, first);
    ck_assert_msg(strstr(status.message, second) != NULL, "\"%s\" does not say \"%s\"", status.message, second);
}

#endif
