#include "story.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/repeats.h"
#include "events.h"

static double number_of(const dt_event *event, const char *key) {
    double number = dt_event_number(event, key);
    return isnan(number) ? 0 : number;
}

static dt_start_told start_of(const dt_event *event) {
    dt_start_told start = {
        .step = number_of(event, "step"),
        .total_steps = number_of(event, "total_steps"),
        .ranks = number_of(event, "ranks"),
        .threads = number_of(event, "threads"),
        .shards = number_of(event, "shards"),
        .samples = number_of(event, "samples"),
        .parameters = number_of(event, "parameters"),
        .flops_per_sample = number_of(event, "flops_per_sample"),
        .peak_flops = number_of(event, "peak_flops"),
    };
    snprintf(start.time, sizeof start.time, "%s", event->time);
    snprintf(start.hosts, sizeof start.hosts, "%s", dt_event_text(event, "hosts"));
    snprintf(start.isa, sizeof start.isa, "%s", dt_event_text(event, "isa"));
    snprintf(start.program, sizeof start.program, "%s", dt_event_text(event, "program"));
    return start;
}

static void add_start(dt_story *s, const dt_event *event) {
    s->all_starts++;
    if (s->start_count < DT_STORY_STARTS) s->start_count++;
    s->starts[s->start_count - 1] = start_of(event);
}

static void add_checkpoint(dt_story *s, const dt_event *event) {
    s->all_checkpoints++;
    s->checkpoint_seconds += number_of(event, "seconds");
    s->checkpoint_cost += number_of(event, "stood") + fmax(number_of(event, "slowed"), number_of(event, "work"));
    snprintf(s->last_checkpoint, sizeof s->last_checkpoint, "%s", event->time);
    if (s->checkpoint_count == DT_STORY_MARKS) {
        s->checkpoint_count /= 2;
        for (int i = 0; i < s->checkpoint_count; i++) s->checkpoints[i] = s->checkpoints[2 * i + 1];
    }
    s->checkpoints[s->checkpoint_count++] = number_of(event, "step");
}

static void add_warning(dt_story *s, const dt_event *event) {
    char text[sizeof s->warnings->text];
    snprintf(text, sizeof text, "%s", dt_event_text(event, "text"));
    double step = number_of(event, "step");
    s->all_warnings++;
    for (int i = 0; i < s->warning_count; i++) {
        if (!dt_repeats_alike(s->warnings[i].text, text)) continue;
        s->warnings[i].count++;
        s->warnings[i].last_step = step;
        return;
    }
    if (s->warning_count == DT_STORY_WARNINGS) {
        s->other_warnings++;
        return;
    }
    dt_warning_told *one = &s->warnings[s->warning_count++];
    snprintf(one->text, sizeof one->text, "%s", text);
    one->count = 1;
    one->first_step = one->last_step = step;
}

static void add_end(dt_story *s, const dt_event *event) {
    snprintf(s->outcome, sizeof s->outcome, "%s", dt_event_text(event, "outcome"));
    snprintf(s->why, sizeof s->why, "%s", dt_event_text(event, "why"));
    snprintf(s->digest, sizeof s->digest, "%s", dt_event_text(event, "digest"));
    snprintf(s->ended_at, sizeof s->ended_at, "%s", event->time);
    s->end_step = number_of(event, "step");
    s->end_seconds = number_of(event, "seconds");
    s->end_rate = number_of(event, "samples_per_s");
    s->skipped = number_of(event, "skipped");
    const double audits = number_of(event, "audits"), spent = number_of(event, "audit_seconds");
    if (audits > 0) s->audits += audits;
    if (spent > 0) s->audit_seconds += spent;
}

static void add_audit(dt_story *s, const dt_event *event) {
    const bool bad = strcmp(dt_event_text(event, "finding"), "agrees") != 0;
    s->all_audits++;
    s->bad_audits += bad;
    if (s->bad_audits > 0 && !bad) return;
    dt_audit_told *a = &s->audit;
    *a = (dt_audit_told){.steps = number_of(event, "steps"),
                         .of_steps = number_of(event, "of_steps"),
                         .links = number_of(event, "links"),
                         .agree = number_of(event, "agree"),
                         .probability = dt_event_number(event, "probability"),
                         .from = number_of(event, "from"),
                         .to = number_of(event, "to")};
    snprintf(a->time, sizeof a->time, "%s", event->time);
    snprintf(a->finding, sizeof a->finding, "%s", dt_event_text(event, "finding"));
}

static void begin(void *context) {
    memset(context, 0, sizeof(dt_story));
}

static void take_event(void *context, const dt_event *event) {
    dt_story *s = context;
    if (strcmp(event->kind, "audited") == 0) { /* from outside: the run itself stands where it stood */
        add_audit(s, event);
        return;
    }
    s->ended = strcmp(event->kind, "ended") == 0;
    if (s->ended) add_end(s, event);
    if (strcmp(event->kind, "started") == 0) add_start(s, event);
    if (strcmp(event->kind, "checkpoint") == 0) add_checkpoint(s, event);
    if (strcmp(event->kind, "warning") == 0) add_warning(s, event);
    if (strcmp(event->kind, "rolled_back") == 0) s->rollbacks++;
}

dt_status dt_story_read(dt_story *s, const char *directory) {
    dt_events *events;
    begin(s);
    DT_TRY(dt_events_open(&events, directory, (dt_event_taker){begin, take_event, s}));
    dt_status status = dt_events_follow(events, NULL);
    dt_events_close(events);
    return status;
}

const dt_start_told *dt_story_start(const dt_story *s) {
    return s->start_count > 0 ? &s->starts[s->start_count - 1] : NULL;
}
