/* The journal of a run: what happened to it, over all its starts. Metrics are what the run's state has come by, so a
 * resume takes rows back; the journal tells of every start, checkpoint, warning and end there was, and is only ever
 * added to. A line of journal.jsonl is strict JSON without depth: {"event":"started","time":"2026-11-23T18:15:35Z",…}.
 * It is rank 0's. */
#ifndef DTRAIN_JOURNAL_H
#define DTRAIN_JOURNAL_H

#include <stdint.h>

#include "base/status.h"

#define DT_JOURNAL "journal.jsonl"

typedef struct dt_journal dt_journal;

/* A field is a text, or a number where text is NULL; one that is not finite is null. */
typedef struct dt_journal_field {
    const char *key;
    const char *text;
    double number;
} dt_journal_field;

/* Opens the journal of `directory` to add to it; a line that a crash has torn is ended first. */
dt_status dt_journal_open(dt_journal **out, const char *directory);
/* Adds a line, in one write. Any thread. Texts may be anything, and are cut where they are very long. */
dt_status dt_journal_note(dt_journal *journal, const char *event, const dt_journal_field *fields, int count);
/* Accepts NULL. */
void dt_journal_close(dt_journal *journal);

#endif
