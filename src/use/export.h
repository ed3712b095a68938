/* A trained model as files of other worlds (export.c). */
#ifndef DTRAIN_EXPORT_H
#define DTRAIN_EXPORT_H

#include <stdbool.h>

#include "base/status.h"

typedef struct dt_export dt_export;

/* A format: a file export_NAME.c and a row in export.c. What it cannot carry it refuses, naming the layer and why. */
typedef struct dt_export_format {
    const char *name;   /* "onnx" */
    const char *help;   /* of what it makes, in one line; NULL where this build cannot */
    bool directory;     /* it makes a directory of files; else one file */
    const char *suffix; /* by which others know what it is; NULL: any name will do */
    const char *other;  /* another one, of another kind of file; NULL: there is none */
    const char *lacks;  /* what this build lacks for it; NULL: nothing */
    bool state;         /* it can take and give what recurrent layers carry */
    dt_status (*write)(const dt_export *model, const char *path);
} dt_export_format;

extern const dt_export_format *const dt_export_formats[]; /* ends with NULL */

typedef struct dt_export_request {
    const char *target; /* a checkpoint or a run directory */
    const char *format, *destination;
    bool state; /* what recurrent layers carry is taken and given */
} dt_export_request;

/* What was exported, for a line on it. */
typedef struct dt_export_figures {
    char checkpoint[4096];
    long long step, parameters;
    char digest[17];
} dt_export_figures;

/* The destination appears whole or not at all. One process. */
dt_status dt_export_run(const dt_export_request *request, dt_export_figures *figures);

#endif
