/* A dataset may keep its values elsewhere than in its file, and it may keep none. External storage names any file and
 * is refused: a stranger's file would have us read a private one into the weights. The sources of a virtual dataset are
 * HDF5 datasets again: they may be in the same file or in others beside it, and are held to the same rules, at any
 * depth, since HDF5 follows them without asking. One that comes back to itself crashes HDF5. */
#include "h5_sources.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

#define MOST_DEPTH 8         /* of virtual datasets of virtual datasets */
#define MOST_SOURCES 1000000 /* parts of one */

static herr_t refuse_link(const char *parent, const char *group, const char *file, const char *object, unsigned *flags,
                          hid_t access, void *met) {
    (void)parent, (void)group, (void)file, (void)object, (void)flags, (void)access;
    *(bool *)met = true;
    return -1;
}

hid_t dt_h5_access(bool *met, const char *directory) {
    hid_t list = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_elink_cb(list, refuse_link, met);
    H5Pset_virtual_view(list, H5D_VDS_FIRST_MISSING); /* one that grows ends where its first source ends */
    if (*directory) H5Pset_virtual_prefix(list, directory);
    return list;
}

bool dt_h5_exists(hid_t file, const char *object, hid_t access) {
    /* every prefix must exist, or H5Lexists fails */
    char path[1024];
    if (snprintf(path, sizeof path, "%s", object) >= (int)sizeof path) return false;
    for (char *slash = path + 1; path[0] && (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        bool there = H5Lexists(file, path, access) > 0;
        *slash = '/';
        if (!there) return false;
    }
    return strcmp(object, "/") == 0 || H5Lexists(file, object, access) > 0;
}

const char *dt_h5_shown(char out[80], const char *name) {
    return dt_escape_name(out, 80, name);
}

static dt_status fail_source(const dt_h5_place *at, const char *file, const char *dataset, const char *what) {
    char of[80], in[80], names[80];
    return dt_fail(DT_ERR_INPUT, "%s: %s is a virtual dataset, and its source %s of %s %s", at->path,
                   dt_h5_shown(of, at->dataset), dt_h5_shown(names, dataset),
                   dt_h5_shown(in, strcmp(file, ".") == 0 ? at->path : file), what);
}

static bool is_within(const char *path, const char *directory) {
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || strcmp(directory, "/") == 0);
}

static dt_status walk_sources(const dt_h5_place *at, dt_h5_survey *found);

/* A dataset that the walk has come to: of no file but its own, and not for the second time. */
static dt_status visit(const dt_h5_place *at, dt_h5_survey *found) {
    for (const dt_h5_place *p = at->outer; p; p = p->outer)
        if (p->object.fileno == at->object.fileno && p->object.addr == at->object.addr)
            return dt_fail(DT_ERR_CORRUPT, "%s: %s is a virtual dataset that maps itself", at->path, at->dataset);
    if (at->depth > MOST_DEPTH)
        return dt_fail(DT_ERR_INPUT, "%s: %s is a virtual dataset of virtual datasets, more than %d deep", at->path,
                       at->dataset, MOST_DEPTH);
    hid_t list = H5Dget_create_plist(at->id);
    H5D_layout_t layout = H5Pget_layout(list);
    int external = layout == H5D_CONTIGUOUS ? H5Pget_external_count(list) : 0;
    H5Pclose(list);
    if (external != 0)
        return dt_fail(DT_ERR_INPUT, "%s: %s keeps its data in another file, which is refused", at->path, at->dataset);
    if (layout == H5D_VIRTUAL) return walk_sources(at, found);
    return found->check ? found->check(at, found) : dt_ok();
}

/* A part of a virtual dataset: what of which source. */
typedef struct part {
    char file[PATH_MAX], dataset[1024];
    hid_t space;     /* selected in the source */
    hssize_t values; /* given by it; below 0: as many as there are, for it grows */
} part;

/* That the part of a source that is mapped is in it: what lies beyond its end would be read as zeros. */
static bool covers(hid_t source, const part *p) {
    hsize_t start[H5S_MAX_RANK], end[H5S_MAX_RANK], dims[H5S_MAX_RANK];
    hid_t space = H5Dget_space(source);
    hssize_t values = H5Sget_simple_extent_npoints(space);
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    if (H5Sget_select_type(p->space) == H5S_SEL_ALL) return values >= p->values;
    if (rank < 0 || H5Sget_simple_extent_ndims(p->space) != rank) return false;
    if (H5Sget_select_bounds(p->space, start, end) < 0) return true; /* without end: as long as it is */
    for (int i = 0; i < rank; i++)
        if (end[i] >= dims[i]) return false;
    return true;
}

static dt_status visit_source(const dt_h5_place *outer, hid_t file, const part *p, dt_h5_survey *found) {
    const char *name = p->file, *dataset = p->dataset;
    bool elsewhere = false;
    hid_t access = dt_h5_access(&elsewhere, outer->directory);
    bool there = dt_h5_exists(file, dataset, access);
    hid_t id = there ? H5Dopen2(file, dataset, access) : H5I_INVALID_HID;
    H5Pclose(access);
    char label[256], part_of[80], in[80];
    snprintf(label, sizeof label, "%s of %s (a source of %s)", dt_h5_shown(part_of, dataset),
             dt_h5_shown(in, strcmp(name, ".") == 0 ? outer->path : name), outer->dataset);
    dt_h5_place at = *outer;
    at.dataset = label;
    at.file = file;
    at.id = id;
    at.outer = outer;
    at.depth++;
    dt_status status = dt_ok();
    if (elsewhere)
        status = fail_source(outer, name, dataset, "is a link to another file, which is refused");
    else if (id < 0)
        status = fail_source(outer, name, dataset, "is not there");
    else if (H5Oget_info2(id, &at.object, H5O_INFO_BASIC) < 0)
        status = fail_source(outer, name, dataset, "cannot be read");
    if (status.code == DT_OK) status = visit(&at, found);
    if (status.code == DT_OK && !covers(id, p))
        status = fail_source(outer, name, dataset, "is smaller than the part of it that is mapped");
    if (id >= 0) H5Dclose(id);
    H5Eclear2(H5E_DEFAULT);
    return status;
}

/* Opens the file of a source: HDF5 will look for it in `directory` first, and nowhere else is it accepted. */
static dt_status open_source(const dt_h5_place *outer, const char *name, const char *dataset, hid_t *file) {
    char joined[PATH_MAX], real[PATH_MAX];
    *file = H5I_INVALID_HID;
    int length =
        snprintf(joined, sizeof joined, "%s%s%s", *name == '/' ? "" : outer->directory, *name == '/' ? "" : "/", name);
    if (strchr(name, '%'))
        return fail_source(outer, name, dataset, "is a pattern of names, which is not supported: map each by its name");
    if (length >= (int)sizeof joined || !realpath(joined, real))
        return fail_source(outer, name, dataset, "is missing: it would be read as zeros");
    if (!is_within(real, outer->directory))
        return fail_source(outer, name, dataset, "is outside the file's own directory, which is refused");
    *file = H5Fopen(joined, H5F_ACC_RDONLY, H5P_DEFAULT);
    return *file >= 0 ? dt_ok() : fail_source(outer, name, dataset, "cannot be read: it is no HDF5 file, or damaged");
}

static bool read_part(hid_t list, size_t index, part *p) {
    ssize_t file = H5Pget_virtual_filename(list, index, p->file, sizeof p->file);
    ssize_t dataset = H5Pget_virtual_dsetname(list, index, p->dataset, sizeof p->dataset);
    if (file <= 0 || dataset <= 0 || file >= (ssize_t)sizeof p->file || dataset >= (ssize_t)sizeof p->dataset)
        return false;
    hid_t given = H5Pget_virtual_vspace(list, index);
    p->values = given >= 0 ? H5Sget_select_npoints(given) : 0;
    if (given >= 0) H5Sclose(given);
    p->space = H5Pget_virtual_srcspace(list, index);
    return p->space >= 0;
}

static dt_status walk_part(const dt_h5_place *at, const part *p, dt_h5_survey *found) {
    if (strchr(p->dataset, '%'))
        return fail_source(at, p->file, p->dataset,
                           "is a pattern of names, which is not supported: map each by its name");
    if (strcmp(p->file, ".") == 0) return visit_source(at, at->file, p, found);
    hid_t file;
    DT_TRY(open_source(at, p->file, p->dataset, &file));
    dt_status status = visit_source(at, file, p, found);
    H5Fclose(file);
    return status;
}

static dt_status walk_parts(const dt_h5_place *at, hid_t list, size_t parts, dt_h5_survey *found) {
    part now;
    hid_t space = H5Dget_space(at->id);
    hssize_t all = H5Sget_simple_extent_npoints(space), given = 0;
    bool grows = false;
    H5Sclose(space);
    for (size_t i = 0; i < parts; i++) {
        if (!read_part(list, i, &now))
            return dt_fail(DT_ERR_CORRUPT, "%s: %s is a virtual dataset whose part %zu cannot be read", at->path,
                           at->dataset, i);
        grows = grows || now.values < 0;
        given += now.values > 0 ? now.values : 0;
        dt_status status = walk_part(at, &now, found);
        H5Sclose(now.space);
        DT_TRY(status);
    }
    if (grows || given >= all) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "%s: %s is a virtual dataset, and its sources give %lld of its %lld values; the others "
                   "would be read as zeros",
                   at->path, at->dataset, (long long)given, (long long)all);
}

static dt_status walk_sources(const dt_h5_place *at, dt_h5_survey *found) {
    hid_t list = H5Dget_create_plist(at->id);
    size_t parts = 0;
    dt_status status;
    if (H5Pget_virtual_count(list, &parts) < 0 || parts > MOST_SOURCES)
        status =
            dt_fail(DT_ERR_CORRUPT, "%s: %s is a virtual dataset whose parts cannot be read", at->path, at->dataset);
    else
        status = walk_parts(at, list, parts, found);
    H5Pclose(list);
    return status;
}

dt_status dt_h5_visit_sources(const char *path, const char *directory, hid_t file, const char *dataset, hid_t id,
                              dt_h5_survey *found) {
    char name[80];
    dt_h5_place at = {
        .path = path, .directory = directory, .dataset = dt_h5_shown(name, dataset), .file = file, .id = id};
    if (H5Oget_info2(id, &at.object, H5O_INFO_BASIC) < 0)
        return dt_fail(DT_ERR_CORRUPT, "%s: %s cannot be read", path, at.dataset);
    dt_status status = visit(&at, found);
    H5Eclear2(H5E_DEFAULT);
    return status;
}

dt_status dt_h5_check_sources(const char *path, const char *directory, hid_t file, const char *dataset, hid_t id) {
    return dt_h5_visit_sources(path, directory, file, dataset, id, &(dt_h5_survey){.check = NULL});
}
