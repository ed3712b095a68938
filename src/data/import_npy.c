/* NumPy's arrays into a dataset: files of one array each, or archives of several by name. All headers are read and held
 * against each other before anything is written. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/absent.h"
#include "base/append.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "import_internal.h"
#include "npz_read.h"

enum { TRAIN_X, TRAIN_Y, TEST_X, TEST_Y, ROLES };
static const char *const datasets[ROLES] = {"/train/x", "/train/y", "/test/x", "/test/y"};

/* An array: a file of its own, or a member of the archive. */
typedef struct array {
    bool given;
    int fd;
    int64_t member;
    dt_npy npy;
    dt_npy_source source;
} array;

typedef struct arrays {
    const dt_import *import;
    dt_npz *archive; /* NULL: files */
    array all[ROLES];
} arrays;

/* ---- both ---- */

static dt_status read_file(void *context, void *out, size_t want, size_t *got) {
    const array *a = context;
    for (*got = 0; *got < want;) {
        ssize_t count = read(a->fd, (char *)out + *got, want - *got);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return dt_fail(DT_ERR_IO, "%s: cannot read: %s", a->source.name, strerror(errno));
        if (count == 0) break;
        *got += (size_t)count;
    }
    return dt_ok();
}

static dt_status check_pair(const array *x, const array *y) {
    if (!x->given || !y->given || x->npy.shape.dim[0] == y->npy.shape.dim[0]) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s has %lld rows but %s has %lld", x->source.name, (long long)x->npy.shape.dim[0],
                   y->source.name, (long long)y->npy.shape.dim[0]);
}

/* A model trained on one must be able to read the other. */
static dt_status check_alike(const array *train, const array *test) {
    const dt_shape *one = &train->npy.shape, *other = &test->npy.shape;
    bool same = !test->given || one->rank == other->rank;
    for (int i = 1; same && test->given && i < one->rank; i++) same = one->dim[i] == other->dim[i];
    if (same) return dt_ok();
    char first[96], second[96];
    dt_shape_text(one, first);
    dt_shape_text(other, second);
    return dt_fail(DT_ERR_INPUT, "%s is %s but %s is %s; a training and a test sample must have one shape",
                   train->source.name, first, test->source.name, second);
}

static dt_status check_all(const arrays *a) {
    DT_TRY(check_pair(&a->all[TRAIN_X], &a->all[TRAIN_Y]));
    DT_TRY(check_pair(&a->all[TEST_X], &a->all[TEST_Y]));
    DT_TRY(check_alike(&a->all[TRAIN_X], &a->all[TEST_X]));
    return a->all[TRAIN_Y].given ? check_alike(&a->all[TRAIN_Y], &a->all[TEST_Y]) : dt_ok();
}

/* Rows of columns that lie apart are read here and there, which a packed member does not allow: it is unpacked, beside
 * the destination, into a file that has lost its name before the first byte is in it. */
static dt_status unpack(const arrays *a, const dt_npy_source *from, int *fd) {
    char path[4096], block[65536];
    if (snprintf(path, sizeof path, "%s.unpacked.%ld", a->import->destination, (long)getpid()) >= (int)sizeof path)
        return dt_fail(DT_ERR_INPUT, "%.60s…: the path is too long", a->import->destination);
    DT_TRY(dt_file_create(path, fd));
    unlink(path);
    size_t got = sizeof block;
    while (got == sizeof block) {
        DT_TRY(from->read(from->context, block, sizeof block, &got));
        for (size_t done = 0; done < got;) {
            ssize_t count = write(*fd, block + done, got - done);
            if (count < 0 && errno != EINTR) return dt_fail(DT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
            if (count > 0) done += (size_t)count;
        }
    }
    return dt_ok();
}

/* What was unpacked begins behind the header, which was read before. */
static dt_status turn_member(const arrays *a, array *one, dt_h5 *file, const char *dataset) {
    int fd = -1;
    dt_npy npy = one->npy;
    npy.begin = 0;
    dt_status status = unpack(a, &one->source, &fd);
    if (status.code == DT_OK) status = dt_npy_turn(&npy, fd, one->source.name, file, dataset);
    if (fd >= 0) close(fd);
    return status;
}

static dt_status write_array(const arrays *a, array *one, dt_h5 *file, const char *dataset) {
    bool turned = one->npy.fortran && one->npy.shape.rank > 1;
    if (!a->archive)
        return turned ? dt_npy_turn(&one->npy, one->fd, one->source.name, file, dataset)
                      : dt_npy_copy(&one->npy, &one->source, file, dataset);
    DT_TRY(dt_npz_member(a->archive, one->member, &one->source));
    DT_TRY(dt_npy_open(&one->npy, &one->source));
    DT_TRY(turned ? turn_member(a, one, file, dataset) : dt_npy_copy(&one->npy, &one->source, file, dataset));
    return dt_npz_check_end(a->archive);
}

static dt_status write_dataset(void *context, dt_h5 *file) {
    arrays *a = context;
    DT_TRY(dt_import_label(file, a->import));
    for (int i = 0; i < ROLES; i++)
        if (a->all[i].given) DT_TRY(write_array(a, &a->all[i], file, datasets[i]));
    return dt_ok();
}

/* ---- files ---- */

static const dt_field no_fields[] = {{.key = NULL}};

static dt_status open_files(arrays *a) {
    for (int i = 0; i < a->import->source_count; i++) {
        array *one = &a->all[i];
        int64_t bytes;
        DT_TRY(dt_file_open(a->import->sources[i], &one->fd, &bytes));
        one->given = true;
        one->source = (dt_npy_source){.name = a->import->sources[i], .read = read_file, .context = one, .bytes = bytes};
        DT_TRY(dt_npy_open(&one->npy, &one->source));
    }
    return check_all(a);
}

static dt_status import_npy(const dt_import *import, const void *none) {
    (void)none;
    int count = import->source_count;
    if (count != 1 && count != 2 && count != ROLES)
        return dt_fail(DT_ERR_USAGE, "import npy needs X.npy [Y.npy [TEST_X.npy TEST_Y.npy]] DEST.h5, not %d files",
                       count + 1);
    DT_TRY(dt_import_check(import));
    arrays a = {.import = import};
    for (int i = 0; i < ROLES; i++) a.all[i].fd = -1;
    dt_status status = open_files(&a);
    if (status.code == DT_OK) status = dt_import_publish(import->destination, write_dataset, &a);
    for (int i = 0; i < ROLES; i++)
        if (a.all[i].fd >= 0) close(a.all[i].fd);
    return status;
}

const dt_importer dt_importer_npy = {
    .name = "npy",
    .usage = "X.npy [Y.npy [TEST_X.npy TEST_Y.npy]] DEST.h5",
    .help = "Arrays of NumPy, samples first, into /train/x and /train/y (and /test/x, /test/y), as they are. Floats of "
            "half\nprecision become float32. Objects (pickles), structures, texts, complex numbers and dates are "
            "refused.\n"
            "  dtrain import npy x.npy y.npy data.h5\n",
    .options = no_fields,
    .run = import_npy,
};

/* ---- archives ---- */

typedef struct npz_options {
    char names[ROLES][DT_TEXT_MAX];
} npz_options;

#define OPTION(name, role)                                                                                             \
    .key = (name), .type = DT_FIELD_TEXT, .offset = offsetof(npz_options, names) + (role)*DT_TEXT_MAX, .fallback = ""

static const dt_field npz_fields[] = {
    {OPTION("x", TRAIN_X),
     .help = "the array of training samples; default x_train, train_x, train_images, x, X or the only one"},
    {OPTION("y", TRAIN_Y),
     .help = "the array of their labels or targets; default y_train, train_y, train_labels, y or Y"},
    {OPTION("test-x", TEST_X), .help = "the array of test samples; default x_test, test_x or test_images"},
    {OPTION("test-y", TEST_Y), .help = "the array of their labels or targets; default y_test, test_y or test_labels"},
    {.key = NULL},
};

static int64_t find(const dt_npz *archive, const char *name) {
    for (int64_t i = 0; i < dt_npz_count(archive); i++)
        if (strcmp(dt_npz_name(archive, i), name) == 0) return i;
    return -1;
}

/* The names by which archives are known: Keras's, scikit-learn's, MedMNIST's. */
static int64_t find_usual(const dt_npz *archive, int role) {
    static const char *const usual[ROLES][8] = {
        {"x_train", "X_train", "train_x", "train_X", "train_images", "x", "X", NULL},
        {"y_train", "Y_train", "train_y", "train_Y", "train_labels", "y", "Y", NULL},
        {"x_test", "X_test", "test_x", "test_X", "test_images", NULL},
        {"y_test", "Y_test", "test_y", "test_Y", "test_labels", NULL},
    };
    for (int i = 0; i < 8 && usual[role][i]; i++) {
        int64_t found = find(archive, usual[role][i]);
        if (found >= 0) return found;
    }
    return role == TRAIN_X && dt_npz_count(archive) == 1 ? 0 : -1;
}

static dt_status fail_name(const arrays *a, const char *option, const char *name) {
    char names[300] = "";
    for (int64_t i = 0; i < dt_npz_count(a->archive) && strlen(names) < 240; i++) {
        char shown[40];
        dt_append(names, sizeof names, "%s%s", i ? ", " : "",
                  dt_escape_name(shown, sizeof shown, dt_npz_name(a->archive, i)));
    }
    if (!*name)
        return dt_fail(DT_ERR_INPUT, "%s: which array are the samples? --x names it; there are %s",
                       a->import->sources[0], names);
    return dt_fail(DT_ERR_INPUT, "%s: --%s: there is no array \"%.60s\"; there are %s", a->import->sources[0], option,
                   name, names);
}

static dt_status open_members(arrays *a, const npz_options *options) {
    DT_TRY(dt_npz_open(&a->archive, a->import->sources[0]));
    for (int i = 0; i < ROLES; i++) {
        array *one = &a->all[i];
        const char *name = options->names[i];
        one->member = *name ? find(a->archive, name) : find_usual(a->archive, i);
        one->given = one->member >= 0;
        if (!one->given && (*name || i == TRAIN_X)) return fail_name(a, npz_fields[i].key, name);
        if (!one->given) continue;
        DT_TRY(dt_npz_member(a->archive, one->member, &one->source));
        DT_TRY(dt_npy_open(&one->npy, &one->source));
        one->source.name = dt_npz_name(a->archive, one->member);
    }
    dt_status status = check_all(a);
    return status.code == DT_OK ? status : dt_status_within(status, "%s", a->import->sources[0]);
}

static dt_status import_npz(const dt_import *import, const void *options) {
    if (import->source_count != 1)
        return dt_fail(DT_ERR_USAGE, "import npz needs one ARCHIVE.npz and DEST.h5, not %d files",
                       import->source_count + 1);
    DT_TRY(dt_import_check(import));
    arrays a = {.import = import};
    dt_status status = open_members(&a, options);
    if (status.code == DT_OK) status = dt_import_publish(import->destination, write_dataset, &a);
    dt_npz_close(a.archive);
    return status;
}

const dt_importer dt_importer_npz = {
    .name = "npz",
    .usage = "ARCHIVE.npz DEST.h5 [--x NAME] [--y NAME] [--test-x NAME] [--test-y NAME]",
    .help = "An archive of NumPy's arrays (savez, savez_compressed): those named, or with usual names, as import npy "
            "has them.\n"
            "  dtrain import npz mnist.npz mnist.h5 --x x_train --y y_train\n",
    .options = npz_fields,
    .options_size = sizeof(npz_options),
    .lacks = DT_LACKS_ZIP,
    .run = import_npz,
};
