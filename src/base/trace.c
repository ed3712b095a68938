/* Spans. Those kept one by one go into a ring, so a long run leaves its end. */
#include "base/trace.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct event {
    double begin, end;
    int kind;
} event;

bool dt_trace_on;
static dt_trace_total kinds[DT_TRACE_KINDS];
static int kind_count;
static event *events;
static size_t capacity, seen;

bool dt_trace_open(size_t most) {
    dt_trace_close();
    if (most > 0 && !(events = dt_alloc(most, sizeof *events))) return false;
    capacity = most;
    dt_trace_on = true;
    return true;
}

void dt_trace_close(void) {
    dt_free(events);
    events = NULL;
    capacity = seen = 0;
    kind_count = 0;
    memset(kinds, 0, sizeof kinds);
    dt_trace_on = false;
}

int dt_trace_kind(const char *category, const char *name) {
    if (!dt_trace_on) return -1;
    for (int i = 0; i < kind_count; i++)
        if (strcmp(kinds[i].category, category) == 0 && strcmp(kinds[i].name, name) == 0) return i;
    if (kind_count == DT_TRACE_KINDS) return -1;
    kinds[kind_count] = (dt_trace_total){.category = category, .name = name};
    return kind_count++;
}

void dt_trace_span(int kind, double begin, double end, double work) {
    if (!dt_trace_on || kind < 0) return;
    kinds[kind].seconds += end - begin;
    kinds[kind].work += work;
    kinds[kind].count++;
    if (capacity > 0) events[seen++ % capacity] = (event){begin, end, kind};
}

void dt_trace_end(int kind, double begin, double work) {
    if (dt_trace_on) dt_trace_span(kind, begin, dt_clock_now(), work);
}

int dt_trace_totals(const dt_trace_total **totals) {
    *totals = kinds;
    return kind_count;
}

char *dt_trace_json(int process, double origin, size_t *dropped) {
    char *text = NULL;
    size_t length = 0, kept = seen < capacity ? seen : capacity;
    *dropped = seen - kept;
    FILE *stream = open_memstream(&text, &length);
    if (!stream) return NULL;
    for (size_t i = seen - kept; i < seen; i++) {
        const event *e = &events[i % capacity];
        fprintf(stream,
                "{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"X\",\"ts\":%.3f,\"dur\":%.3f,\"pid\":%d,\"tid\":0},\n",
                kinds[e->kind].name, kinds[e->kind].category, 1e6 * (e->begin - origin), 1e6 * (e->end - e->begin),
                process);
    }
    bool written = fclose(stream) == 0;
    char *copy = written ? dt_strdup(text) : NULL;
    free(text);
    return copy;
}
