/* What happened to a run, from its journal (store/journal.h), also while that is being written: starts, checkpoints,
 * warnings, ends, over all jobs that worked on it. Texts are as the file has them; whoever shows them escapes them. */
#ifndef DTRAIN_EVENTS_H
#define DTRAIN_EVENTS_H

#include <stdbool.h>

#include "base/status.h"

#define DT_EVENT_FIELDS 32

typedef struct dt_event_field {
    const char *key, *text; /* text NULL: it is a number, NaN where it is none */
    double number;
} dt_event_field;

typedef struct dt_event {
    const char *kind; /* "started", "checkpoint", "warning", "rolled_back", "ended" */
    const char *time; /* UTC, as "2026-11-23T18:15:35Z"; "" */
    int count;
    dt_event_field fields[DT_EVENT_FIELDS];
} dt_event;

/* A field's text, "" where there is none; its number, NaN where there is none. */
const char *dt_event_text(const dt_event *event, const char *key);
double dt_event_number(const dt_event *event, const char *key);

typedef struct dt_event_taker {
    void (*begin)(void *context); /* events begin, or begin anew */
    void (*event)(void *context, const dt_event *event);
    void *context;
} dt_event_taker;

typedef struct dt_events dt_events;

/* Of the run in `directory`; one that an older version made has none. */
dt_status dt_events_open(dt_events **out, const char *directory, dt_event_taker taker);
/* Gives those that have come since the last call; *news, which may be NULL, is whether there were any. */
dt_status dt_events_follow(dt_events *events, bool *news);
/* Accepts NULL. */
void dt_events_close(dt_events *events);

#endif
