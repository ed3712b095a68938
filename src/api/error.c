/* Errors in the caller's memory: there is none of ours that threads would share. */
#include <stdarg.h>
#include <stdio.h>

#include "base/escape.h"
#include "handles.h"
#include <string.h>

static dtrain_code code_of(dt_code code) {
    switch (code) {
    case DT_OK: return DTRAIN_OK;
    case DT_ERR_USAGE: return DTRAIN_ERR_ARGUMENT;
    case DT_ERR_IO: return DTRAIN_ERR_IO;
    case DT_ERR_CORRUPT: return DTRAIN_ERR_CORRUPT;
    case DT_ERR_MEMORY: return DTRAIN_ERR_MEMORY;
    default: return DTRAIN_ERR_INPUT;
    }
}

int dt_api_report(dtrain_error *error, const dt_status *status) {
    dtrain_code code = code_of(status->code);
    if (code != DTRAIN_OK && error) {
        error->code = (int32_t)code;
        dt_escape(error->message, sizeof error->message, status->message, strlen(status->message), false);
    }
    return (int)code;
}

int dt_api_fail(dtrain_error *error, dtrain_code code, const char *format, ...) {
    if (!error) return (int)code;
    error->code = (int32_t)code;
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return (int)code;
}
