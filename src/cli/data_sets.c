/* Data sets that a command names. */
#include "data_sets.h"

#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

dt_status dt_data_sets_create(dt_data_sets *out, int argc) {
    *out = (dt_data_sets){.all = dt_alloc((size_t)argc, sizeof *out->all)};
    return out->all ? dt_ok() : dt_fail_memory("the data sets", (size_t)argc * sizeof *out->all);
}

static bool same(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The colon before a dataset; before several, [/a, /b] or {image: /a, meta: /b}, the first of all. */
static char *find_colon(char *argument) {
    char *colon = strstr(argument, ":{"), *list = strstr(argument, ":[");
    if (!colon || (list && list < colon)) colon = list;
    if (colon) return colon;
    for (char *at = argument; (at = strstr(at, ":/")) != NULL; at++) colon = at;
    return colon;
}

dt_status dt_data_sets_add(dt_data_sets *sets, char *argument) {
    dt_data_named *added = &sets->all[sets->count];
    struct stat info;
    *added = (dt_data_named){.file = argument};
    char *colon = stat(argument, &info) != 0 ? find_colon(argument) : NULL;
    if (colon && colon != argument) {
        *colon = '\0';
        added->dataset = colon + 1;
    }
    for (int i = 0; i < sets->count; i++)
        if (same(sets->all[i].file, added->file) && same(sets->all[i].dataset, added->dataset))
            return dt_fail(DT_ERR_USAGE, "--data %s%s%s is given twice", added->file, added->dataset ? ":" : "",
                           added->dataset ? added->dataset : "");
    sets->count++;
    return dt_ok();
}

dt_status dt_data_sets_target(dt_data_sets *sets, const char *dataset) {
    dt_data_named *last = sets->count > 0 ? &sets->all[sets->count - 1] : NULL;
    if (!last || !last->dataset)
        return dt_fail(DT_ERR_USAGE,
                       "--targets %s belongs behind --data FILE:DATASET, of whose samples it has the targets", dataset);
    if (last->targets)
        return dt_fail(DT_ERR_USAGE, "--data %s:%s has two --targets, %s and %s", last->file, last->dataset,
                       last->targets, dataset);
    last->targets = dataset;
    return dt_ok();
}

dt_status dt_data_sets_check(const dt_data_sets *sets, const char *split) {
    for (int i = 0; split && i < sets->count; i++)
        if (sets->all[i].dataset)
            return dt_fail(DT_ERR_USAGE, "--split %s and --data %s:%s: a dataset that is named is taken whole", split,
                           sets->all[i].file, sets->all[i].dataset);
    return dt_ok();
}
