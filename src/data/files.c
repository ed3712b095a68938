/* Files that are named by lists and patterns. Rank 0 alone looks at a directory, for one that a simulation still writes
 * to may have another file a moment later; the other machines are told the names, and each must have all of them. So
 * what the data set is does not depend on how many ranks there are, nor on where they run: `%r` too counts files, not
 * ranks, and a file that one rank alone can see is refused by its name. */
#include "files.h"

#include <ctype.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define MOST_FILES 65536
#define MOST_TEXT ((size_t)16 << 20)

/* ---- the order of names ---- */

/* Digits without zeros before them. */
static const char *number_at(const char **text, size_t *length) {
    const char *digits = *text + strspn(*text, "0");
    *length = strspn(digits, "0123456789");
    *text = digits + *length;
    return digits;
}

static int compare_numbers(const char **a, const char **b) {
    size_t a_length, b_length;
    const char *a_digits = number_at(a, &a_length), *b_digits = number_at(b, &b_length);
    if (a_length != b_length) return a_length < b_length ? -1 : 1;
    return strncmp(a_digits, b_digits, a_length);
}

int dt_files_compare(const char *a, const char *b) {
    const char *at = a, *other = b;
    while (*at && *other) {
        int order;
        if (isdigit((unsigned char)*at) && isdigit((unsigned char)*other))
            order = compare_numbers(&at, &other);
        else
            order = (unsigned char)*at++ - (unsigned char)*other++;
        if (order != 0) return order;
    }
    if (*at || *other) return *at ? 1 : -1;
    return strcmp(a, b); /* run-1 and run-01 */
}

static int compare_entries(const void *a, const void *b) {
    return dt_files_compare(*(char *const *)a, *(char *const *)b);
}

/* ---- a list of names ---- */

/* Names, each ended by 0. */
typedef struct name_text {
    char *text;
    size_t used, room;
    int64_t count;
} name_text;

static dt_status add_name(name_text *list, const char *name) {
    size_t bytes = strlen(name) + 1;
    if (list->count == MOST_FILES || bytes > MOST_TEXT - list->used)
        return dt_fail(DT_ERR_INPUT, "a data set has more than %d files", MOST_FILES);
    if (list->used + bytes > list->room) {
        size_t room = 2 * (list->used + bytes);
        char *grown = dt_alloc(room, 1);
        if (!grown) return dt_fail_memory("a list of files", room);
        if (list->used > 0) memcpy(grown, list->text, list->used);
        dt_free(list->text);
        list->text = grown;
        list->room = room;
    }
    memcpy(list->text + list->used, name, bytes);
    list->used += bytes;
    list->count++;
    return dt_ok();
}

/* ---- patterns ---- */

static dt_status add_matches(name_text *list, const char *pattern) {
    glob_t found;
    int code = glob(pattern, GLOB_NOSORT | GLOB_ERR, NULL, &found);
    dt_status status = dt_ok();
    if (code == GLOB_NOMATCH)
        status = dt_fail(DT_ERR_IO, "%s: no file matches this pattern", pattern);
    else if (code != 0)
        status = dt_fail(DT_ERR_IO, "%s: the files that match cannot be listed%s", pattern,
                         code == GLOB_ABORTED ? ": a directory on the way cannot be read" : "");
    if (code != 0) return status;
    qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, compare_entries);
    for (size_t i = 0; i < found.gl_pathc && status.code == DT_OK; i++) status = add_name(list, found.gl_pathv[i]);
    globfree(&found);
    return status;
}

/* "site-", 3, ".h5" */
static bool number_name(char out[PATH_MAX], const char *before, size_t length, long long number, const char *behind) {
    return snprintf(out, PATH_MAX, "%.*s%lld%s", (int)length, before, number, behind) < PATH_MAX;
}

/* The number of a file that a pattern of `*` in the place of %r has found; -1: something else is there. */
static long long number_of(const char *name, size_t before, size_t behind) {
    size_t length = strlen(name);
    if (length <= before + behind) return -1;
    const char *digits = name + before;
    size_t count = length - before - behind;
    if (strspn(digits, "0123456789") < count || (count > 1 && *digits == '0') || count > 9) return -1;
    return strtoll(digits, NULL, 10);
}

/* The largest number that a file of such a name has; -1: there is none. */
static long long last_number(const char *named, const char *mark) {
    char pattern[PATH_MAX];
    glob_t found;
    long long last = -1;
    size_t before = (size_t)(mark - named), behind = strlen(mark + 2);
    if (snprintf(pattern, sizeof pattern, "%.*s*%s", (int)before, named, mark + 2) >= PATH_MAX) return -1;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0) return -1;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        long long number = number_of(found.gl_pathv[i], before, behind);
        if (number > last) last = number;
    }
    globfree(&found);
    return last;
}

static dt_status add_sites(name_text *list, const char *named, const char *mark) {
    char name[PATH_MAX];
    long long last = last_number(named, mark);
    if (strstr(mark + 1, "%r")) return dt_fail(DT_ERR_INPUT, "%s: it has %%r more than once", named);
    for (long long i = 0; i <= (last < 0 ? 0 : last); i++) {
        if (!number_name(name, named, (size_t)(mark - named), i, mark + 2))
            return dt_fail(DT_ERR_INPUT, "%s: the name is too long", named);
        if (access(name, F_OK) != 0)
            return dt_fail(
                DT_ERR_IO,
                "%s: no such file; %s stands for the files 0, 1, 2, … without a gap, which all machines have", name,
                named);
        DT_TRY(add_name(list, name));
    }
    return dt_ok();
}

static dt_status add_item(name_text *list, const char *named) {
    const char *mark = strstr(named, "%r");
    if (access(named, F_OK) == 0) return add_name(list, named);
    if (mark) return add_sites(list, named, mark);
    return strpbrk(named, "*?[") ? add_matches(list, named) : add_name(list, named);
}

/* ---- lists ---- */

/* The next item of a list: *text is behind it and its comma; false at the end. Quotes keep commas and brackets. */
static bool next_item(const char **text, char out[PATH_MAX], bool *good) {
    const char *at = *text + strspn(*text, " ");
    *good = true;
    if (!*at) return false;
    size_t length;
    if (*at == '\'' || *at == '"') {
        const char quote = *at++;
        for (length = 0; *at && (*at != quote || at[1] == quote); at++) {
            at += *at == quote; /* a quote inside is doubled */
            if (length < PATH_MAX - 1) out[length++] = *at;
        }
        out[length] = '\0';
        *good = *at == quote;
        at += *good;
        at += strspn(at, " ");
    } else {
        length = strcspn(at, ",");
        const char *end = at + length;
        while (length > 0 && at[length - 1] == ' ') length--;
        snprintf(out, PATH_MAX, "%.*s", (int)length, at);
        at = end;
    }
    *good = *good && length > 0 && length < PATH_MAX && (!*at || *at == ',');
    *text = at + (*at == ',');
    return true;
}

static dt_status add_list(name_text *list, const char *named) {
    size_t length = strlen(named);
    char *inside = dt_strdup(named + 1), item[PATH_MAX];
    if (!inside) return dt_fail_memory("a list of files", length);
    inside[length - 2] = '\0';
    dt_status status = dt_ok();
    bool good;
    for (const char *at = inside; status.code == DT_OK && next_item(&at, item, &good);)
        status = good ? add_item(list, item)
                      : dt_fail(DT_ERR_INPUT, "%s: it is not a list of files, such as [a.h5, 'b, c.h5']", named);
    dt_free(inside);
    if (status.code == DT_OK && list->count == 0) status = dt_fail(DT_ERR_INPUT, "%s: the list has no file", named);
    return status;
}

static dt_status find_files(name_text *list, const char *named) {
    size_t length = strlen(named);
    bool is_list = length > 1 && named[0] == '[' && named[length - 1] == ']' && access(named, F_OK) != 0;
    return is_list ? add_list(list, named) : add_item(list, named);
}

/* ---- all ranks ---- */

static dt_status index_names(dt_files *files) {
    files->name = dt_alloc((size_t)files->count, sizeof *files->name);
    if (!files->name) return dt_fail_memory("a list of files", (size_t)files->count * sizeof *files->name);
    const char *at = files->text;
    for (int64_t i = 0; i < files->count; i++, at += strlen(at) + 1) files->name[i] = at;
    return dt_ok();
}

/* A file that is there twice would have its samples count twice. */
static dt_status check_once(const dt_files *files) {
    const char **sorted = dt_alloc((size_t)files->count, sizeof *sorted);
    if (!sorted) return dt_fail_memory("a list of files", (size_t)files->count * sizeof *sorted);
    memcpy(sorted, files->name, (size_t)files->count * sizeof *sorted);
    qsort(sorted, (size_t)files->count, sizeof *sorted, compare_entries);
    const char *twice = NULL;
    for (int64_t i = 1; i < files->count && !twice; i++)
        if (strcmp(sorted[i], sorted[i - 1]) == 0) twice = sorted[i];
    dt_free(sorted);
    return twice ? dt_fail(DT_ERR_INPUT, "%s: the list of files has it twice", twice) : dt_ok();
}

dt_status dt_files_open(dt_files *out, const dt_ranks *ranks, const char *named) {
    *out = (dt_files){.count = 0};
    name_text list = {.count = 0};
    dt_status status = dt_ranks_agree(ranks, ranks->rank == 0 ? find_files(&list, named) : dt_ok());
    int64_t head[2] = {list.count, (int64_t)list.used};
    if (status.code == DT_OK) status = dt_ranks_broadcast(ranks, head, sizeof head, 0);
    out->count = status.code == DT_OK ? head[0] : 0;
    out->text = ranks->rank == 0 || status.code != DT_OK ? list.text : dt_alloc((size_t)head[1], 1);
    DT_TRY(status);
    DT_TRY(dt_ranks_agree(ranks, out->text ? dt_ok() : dt_fail_memory("a list of files", (size_t)head[1])));
    DT_TRY(dt_ranks_broadcast(ranks, out->text, (size_t)head[1], 0));
    DT_TRY(dt_ranks_agree(ranks, index_names(out)));
    return dt_ranks_agree(ranks, check_once(out));
}

void dt_files_close(dt_files *files) {
    dt_free(files->text);
    dt_free(files->name);
    *files = (dt_files){.count = 0};
}
