/* Lines of journal.jsonl become events. */
#include "events.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "flat.h"
#include "lines.h"
#include "store/journal.h"

struct dt_events {
    dt_event_taker taker;
    dt_lines *lines;
};

static const dt_event_field *find(const dt_event *event, const char *key) {
    for (int i = 0; i < event->count; i++)
        if (strcmp(event->fields[i].key, key) == 0) return &event->fields[i];
    return NULL;
}

const char *dt_event_text(const dt_event *event, const char *key) {
    const dt_event_field *field = find(event, key);
    return field && field->text ? field->text : "";
}

double dt_event_number(const dt_event *event, const char *key) {
    const dt_event_field *field = find(event, key);
    return field && !field->text ? field->number : (double)NAN;
}

static void begin(void *context) {
    const dt_events *e = context;
    e->taker.begin(e->taker.context);
}

static bool take_line(void *context, char *text) {
    const dt_events *e = context;
    dt_event event = {.kind = "", .time = ""};
    dt_flat_line line;
    dt_flat pair;
    dt_flat_begin(&line, text);
    while (dt_flat_next(&line, &pair)) {
        const char *value = pair.kind == DT_FLAT_TEXT ? pair.text : NULL;
        if (value && strcmp(pair.key, "event") == 0)
            event.kind = value;
        else if (value && strcmp(pair.key, "time") == 0)
            event.time = value;
        else if (event.count < DT_EVENT_FIELDS)
            event.fields[event.count++] = (dt_event_field){pair.key, value, pair.number};
    }
    if (!line.good || !*event.kind) return false;
    e->taker.event(e->taker.context, &event);
    return true;
}

dt_status dt_events_open(dt_events **out, const char *directory, dt_event_taker taker) {
    *out = NULL;
    dt_events *e = dt_alloc(1, sizeof *e);
    if (!e) return dt_fail_memory("the events of a run", sizeof *e);
    e->taker = taker;
    dt_status status = dt_lines_create(&e->lines, directory, DT_JOURNAL, (dt_lines_taker){begin, take_line, e});
    if (status.code == DT_OK)
        *out = e;
    else
        dt_events_close(e);
    return status;
}

dt_status dt_events_follow(dt_events *e, bool *news) {
    return dt_lines_follow(e->lines, news);
}

void dt_events_close(dt_events *e) {
    if (!e) return;
    dt_lines_destroy(e->lines);
    dt_free(e);
}
