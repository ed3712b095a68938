/* Which kinds of files of weights there are, and what all of them share. */
#include "data/weights_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "weights_kind.h"

static const dt_weights_kind *const kinds[] = {&dt_weights_hdf5, &dt_weights_npz, &dt_weights_safetensors, NULL};

dt_status dt_weights_reserve(dt_weights_file *file, int64_t count) {
    if (count < 0 || count > DT_MOST_WEIGHTS)
        return dt_fail(DT_ERR_CORRUPT, "%s: it has %lld arrays; %d are the most", file->path, (long long)count,
                       DT_MOST_WEIGHTS);
    file->arrays = dt_alloc((size_t)count + 1, sizeof *file->arrays);
    return file->arrays ? dt_ok() : dt_fail_memory("a list of arrays", (size_t)count * sizeof *file->arrays);
}

static dt_status find_kind(const char *path, const dt_weights_kind **out) {
    unsigned char begin[16];
    int fd;
    DT_TRY(dt_file_open(path, &fd, NULL));
    ssize_t got = pread(fd, begin, sizeof begin, 0);
    int reason = errno;
    close(fd);
    if (got < 0) return dt_fail(DT_ERR_IO, "%s: cannot read: %s", path, strerror(reason));
    for (const dt_weights_kind *const *kind = kinds; *kind && !*out; kind++)
        if ((*kind)->is(begin, (size_t)got)) *out = *kind;
    if (*out) return dt_ok();
    return dt_fail(
        DT_ERR_INPUT,
        "%s: its weights cannot be read; they must be in a checkpoint of dtrain, safetensors, a NumPy archive "
        "(.npz) or HDF5, as Keras writes it",
        path);
}

dt_status dt_weights_open(dt_weights_file *out, const char *path) {
    memset(out, 0, sizeof *out);
    out->path = path;
    DT_TRY(find_kind(path, &out->kind));
    DT_TRY(out->kind->open(out));
    return out->count > 0 ? dt_ok() : dt_fail(DT_ERR_INPUT, "%s: there are no arrays of numbers in it", path);
}

void dt_weights_close(dt_weights_file *file) {
    if (file->kind) file->kind->close(file);
    dt_free(file->arrays);
    memset(file, 0, sizeof *file);
}

dt_status dt_weights_read(const dt_weights_file *file, int64_t i, float *out) {
    return file->kind->read(file, i, out);
}
