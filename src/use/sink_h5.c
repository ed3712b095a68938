/* Predictions as HDF5: a dataset for each array, whose place in the file is all that ranks need to know; what the file
 * says of itself is added last. */
#include <stdio.h>

#include "sink.h"
#include "store/h5.h"

static dt_status check(const dt_results *results) {
    for (int i = 0; i < results->count; i++)
        if (results->all[i].shape.rank + 1 > DT_MAX_RANK)
            return dt_fail(DT_ERR_USAGE, "/%s would have %d dimensions; at most %d go into a file",
                           results->all[i].name, results->all[i].shape.rank + 1, DT_MAX_RANK);
    return dt_ok();
}

static dt_status make_dataset(const dt_sink *sink, dt_h5 *file, const dt_result *result, int64_t *begin) {
    char path[80];
    snprintf(path, sizeof path, "/%s", result->name);
    dt_shape shape = {.rank = result->shape.rank + 1, .dim = {sink->samples}};
    for (int i = 0; i < result->shape.rank; i++) shape.dim[i + 1] = result->shape.dim[i];
    dt_h5_info info;
    DT_TRY(dt_h5_create_dataset(file, path, result->dtype, &shape, 0));
    DT_TRY(dt_h5_describe(file, path, &info));
    *begin = (int64_t)info.offset;
    return dt_ok();
}

static dt_status lay_out(dt_sink *sink) {
    dt_h5 *file;
    DT_TRY(dt_h5_create(&file, sink->files[0].publication.temporary));
    dt_status status = dt_ok();
    for (int i = 0; i < sink->results->count && status.code == DT_OK; i++)
        status = make_dataset(sink, file, &sink->results->all[i], &sink->begin[i]);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

/* What each output, and each number in /class, stands for. */
static dt_status put_classes(const dt_sink *sink, dt_h5 *file) {
    const dt_results *results = sink->results;
    const dt_classes *known = results->known;
    if (known) {
        dt_shape shape = {1, {known->count}};
        DT_TRY(dt_h5_create_dataset(file, "/class_values", DT_I64, &shape, 0));
        DT_TRY(dt_h5_write_rows(file, "/class_values", DT_I64, 0, known->count, known->values));
    }
    return sink->names ? dt_h5_put_names(file, "/class_names", sink->names, (size_t)sink->names_bytes) : dt_ok();
}

static dt_status put_notes(const dt_sink *sink, dt_h5 *file, const dt_sink_note *notes, int count) {
    for (int i = 0; i < count; i++)
        DT_TRY(notes[i].text ? dt_h5_put_text(file, "/", notes[i].key, notes[i].text)
                             : dt_h5_put_int(file, "/", notes[i].key, notes[i].number));
    return sink->results->classes ? put_classes(sink, file) : dt_ok();
}

static dt_status annotate(dt_sink *sink, const dt_sink_note *notes, int count) {
    dt_h5 *file;
    DT_TRY(dt_h5_append(&file, sink->files[0].publication.temporary));
    dt_status status = put_notes(sink, file, notes, count);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

const dt_sink_kind dt_sink_h5 = {
    .name = "h5", .suffix = ".h5", .check = check, .lay_out = lay_out, .annotate = annotate};
