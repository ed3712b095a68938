/* Exporting: a checkpoint is opened without its data, its model planned and its weights read, and one of the formats
 * writes them down. */
#include "export.h"

#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "data/publish.h"
#include "export_internal.h"

const dt_export_format *const dt_export_formats[] = {
    &dt_export_safetensors, &dt_export_npz, &dt_export_pytorch, &dt_export_onnx, &dt_export_gpt2,
    &dt_export_keras,       NULL,
};

static dt_status fail_format(const char *name) {
    char names[256] = "";
    for (const dt_export_format *const *f = dt_export_formats; *f; f++)
        dt_append(names, sizeof names, "%s%s", f == dt_export_formats ? "" : f[1] ? ", " : " or ", (*f)->name);
    return dt_fail(DT_ERR_USAGE, "there is no format \"%.40s\" to export to; it must be %s", name, names);
}

static const dt_export_format *find_format(const char *name) {
    for (const dt_export_format *const *f = dt_export_formats; *f; f++)
        if (strcmp((*f)->name, name) == 0) return *f;
    return NULL;
}

static dt_status check_built(const dt_export_format *format) {
    if (!format->lacks) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "this dtrain was built without %s, which --to %s needs", format->lacks, format->name);
}

static dt_status open_model(dt_export *e, const char *target) {
    dt_trained *t = &e->trained;
    DT_TRY(dt_trained_open(t, target));
    t->recipe.compute.precision = DT_PRECISION_FLOAT32; /* nothing is computed: weights are float32 in any case */
    DT_TRY(dt_compute_open(&e->kernels, DT_ISA_AUTO, 1));
    DT_TRY(dt_trained_model(t, e->kernels, 1, false, &e->model));
    e->outputs = dt_outputs_of(&t->source.targets, (dt_loss)t->recipe.loss.kind, e->model);
    return dt_trained_load(t, e->kernels, e->model);
}

/* What publishing gives back to the format. */
typedef struct work {
    const dt_export *model;
    const dt_export_format *format;
} work;

static dt_status write_it(void *context, const char *path) {
    const work *own = context;
    return dt_status_within(own->format->write(own->model, path), "--to %s", own->format->name);
}

static dt_status publish(const dt_export *e, const dt_export_format *format, const char *destination) {
    work own = {e, format};
    return format->directory ? dt_publish_directory(destination, write_it, &own)
                             : dt_publish_file(destination, write_it, &own);
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), count = strlen(end);
    return length >= count && strcmp(text + length - count, end) == 0;
}

static dt_status check_name(const dt_export_format *format, const char *destination) {
    if (!format->suffix || ends_with(destination, format->suffix)) return dt_ok();
    if (format->other && ends_with(destination, format->other)) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "%s: what --to %s writes is known by the ending %s%s%s", destination, format->name,
                   format->suffix, format->other ? " or " : "", format->other ? format->other : "");
}

dt_status dt_export_run(const dt_export_request *request, dt_export_figures *figures) {
    const dt_export_format *format = find_format(request->format);
    if (!format) return fail_format(request->format);
    DT_TRY(check_built(format));
    DT_TRY(check_name(format, request->destination));
    if (request->state && !format->state)
        return dt_fail(DT_ERR_USAGE, "--state goes with --to onnx, not %s", format->name);
    dt_export *e = dt_alloc(1, sizeof *e);
    if (!e) return dt_fail_memory("an export", sizeof *e);
    e->destination = request->destination;
    e->state = request->state;
    dt_status status = open_model(e, request->target);
    if (status.code == DT_OK) status = publish(e, format, request->destination);
    if (status.code == DT_OK) {
        snprintf(figures->checkpoint, sizeof figures->checkpoint, "%s", e->trained.path);
        figures->step = e->trained.head.position.step;
        figures->parameters = (long long)dt_table_elements(dt_model_table(e->model));
        dt_digest_text(e->trained.head.digest, figures->digest);
    }
    dt_model_destroy(e->model);
    dt_trained_close(&e->trained);
    dt_free(e);
    return status;
}
