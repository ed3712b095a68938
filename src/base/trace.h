/* What the time goes on: spans of work, added up by kind and, on request, kept one by one. Per process, for one thread.
 * Off, a span costs one test. */
#ifndef DTRAIN_TRACE_H
#define DTRAIN_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

#define DT_TRACE_KINDS 1024

/* All spans of one kind so far. */
typedef struct dt_trace_total {
    const char *category, *name;
    double seconds, work; /* work is in the caller's unit: floating-point operations */
    long count;
} dt_trace_total;

extern bool dt_trace_on;

/* From here on spans count. The last `events` of them are kept one by one; false when there is no memory for them. */
bool dt_trace_open(size_t events);
void dt_trace_close(void);

/* The number of a kind, the same at every call. `name` must stay valid until dt_trace_close. -1, which is ignored where
 * a kind is asked for, when tracing is off or there are DT_TRACE_KINDS already. */
int dt_trace_kind(const char *category, const char *name);

static inline double dt_trace_begin(void) {
    return dt_trace_on ? dt_clock_now() : 0;
}
/* Ends a span that dt_trace_begin began. */
void dt_trace_end(int kind, double begin, double work);
/* The same for a span whose end is known too. */
void dt_trace_span(int kind, double begin, double end, double work);

int dt_trace_totals(const dt_trace_total **totals);
/* The kept spans as members of a JSON array in the Trace Event Format (Chrome, Perfetto), each followed by ",\n", with
 * times in microseconds since `origin` and the process number `process`; *dropped is how many were not kept. To
 * dt_free; NULL when there is no memory. */
char *dt_trace_json(int process, double origin, size_t *dropped);

#endif
