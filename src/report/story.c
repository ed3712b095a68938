#include "story.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "flat.h"
#include "store/journal.h"

#define MOST_LINE 65536

/* A line's pairs, as the kinds of event have them. */
typedef struct told {
    char event[32], text[512];
    dt_start_told start;
    char outcome[16], why[512], digest[32];
    double seconds, samples_per_s, skipped;
} told;

static void take_text(told *t, const char *key, const char *text) {
    const struct {
        const char *key;
        char *to;
        size_t room;
    } texts[] = {{"event", t->event, sizeof t->event},       {"time", t->start.time, sizeof t->start.time},
                 {"text", t->text, sizeof t->text},          {"hosts", t->start.hosts, sizeof t->start.hosts},
                 {"isa", t->start.isa, sizeof t->start.isa}, {"program", t->start.program, sizeof t->start.program},
                 {"outcome", t->outcome, sizeof t->outcome}, {"why", t->why, sizeof t->why},
                 {"digest", t->digest, sizeof t->digest}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].key, key) == 0) snprintf(texts[i].to, texts[i].room, "%s", text);
}

static void take_number(told *t, const char *key, double number) {
    const struct {
        const char *key;
        double *to;
    } numbers[] = {{"step", &t->start.step},
                   {"total_steps", &t->start.total_steps},
                   {"ranks", &t->start.ranks},
                   {"threads", &t->start.threads},
                   {"shards", &t->start.shards},
                   {"samples", &t->start.samples},
                   {"parameters", &t->start.parameters},
                   {"flops_per_sample", &t->start.flops_per_sample},
                   {"peak_flops", &t->start.peak_flops},
                   {"seconds", &t->seconds},
                   {"samples_per_s", &t->samples_per_s},
                   {"skipped", &t->skipped}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(numbers[i].key, key) == 0) *numbers[i].to = number;
}

/* ---- events ---- */

static void add_start(dt_story *s, const told *t) {
    s->all_starts++;
    if (s->start_count < DT_STORY_STARTS) s->start_count++;
    s->starts[s->start_count - 1] = t->start;
}

static void add_checkpoint(dt_story *s, const told *t) {
    s->all_checkpoints++;
    s->checkpoint_seconds += t->seconds;
    snprintf(s->last_checkpoint, sizeof s->last_checkpoint, "%s", t->start.time);
    if (s->checkpoint_count == DT_STORY_MARKS) {
        s->checkpoint_count /= 2;
        for (int i = 0; i < s->checkpoint_count; i++) s->checkpoints[i] = s->checkpoints[2 * i + 1];
    }
    s->checkpoints[s->checkpoint_count++] = t->start.step;
}

static bool same_kind(const char *a, const char *b) {
    static const char numbers[] = "0123456789.";
    while (*a && *b) {
        size_t of_a = strspn(a, numbers), of_b = strspn(b, numbers);
        if ((of_a > 0) != (of_b > 0)) return false;
        if (of_a == 0 && *a != *b) return false;
        a += of_a ? of_a : 1;
        b += of_b ? of_b : 1;
    }
    return *a == *b;
}

static void add_warning(dt_story *s, const told *t) {
    s->all_warnings++;
    for (int i = 0; i < s->warning_count; i++) {
        if (!same_kind(s->warnings[i].text, t->text)) continue;
        s->warnings[i].count++;
        s->warnings[i].last_step = t->start.step;
        return;
    }
    if (s->warning_count == DT_STORY_WARNINGS) {
        s->other_warnings++;
        return;
    }
    dt_warning_told *one = &s->warnings[s->warning_count++];
    snprintf(one->text, sizeof one->text, "%s", t->text);
    one->count = 1;
    one->first_step = one->last_step = t->start.step;
}

static void add_end(dt_story *s, const told *t) {
    snprintf(s->outcome, sizeof s->outcome, "%s", t->outcome);
    snprintf(s->why, sizeof s->why, "%s", t->why);
    snprintf(s->digest, sizeof s->digest, "%s", t->digest);
    snprintf(s->ended_at, sizeof s->ended_at, "%s", t->start.time);
    s->end_step = t->start.step;
    s->end_seconds = t->seconds;
    s->end_rate = t->samples_per_s;
    s->skipped = t->skipped;
}

static void take_event(dt_story *s, const told *t) {
    s->ended = strcmp(t->event, "ended") == 0;
    if (s->ended) add_end(s, t);
    if (strcmp(t->event, "started") == 0) add_start(s, t);
    if (strcmp(t->event, "checkpoint") == 0) add_checkpoint(s, t);
    if (strcmp(t->event, "warning") == 0) add_warning(s, t);
    if (strcmp(t->event, "rolled_back") == 0) s->rollbacks++;
}

static void take_line(dt_story *s, char *text) {
    told t;
    dt_flat_line line;
    dt_flat pair;
    memset(&t, 0, sizeof t);
    for (dt_flat_begin(&line, text); dt_flat_next(&line, &pair);) {
        if (pair.kind == DT_FLAT_TEXT) take_text(&t, pair.key, pair.text);
        if (pair.kind == DT_FLAT_NUMBER) take_number(&t, pair.key, pair.number);
    }
    if (line.good)
        take_event(s, &t);
    else
        s->odd_lines++;
}

dt_status dt_story_read(dt_story *s, const char *directory) {
    char path[4096], line[MOST_LINE];
    int fd;
    memset(s, 0, sizeof *s);
    DT_TRY(dt_path_join(path, directory, DT_JOURNAL));
    if (access(path, F_OK) != 0 && errno == ENOENT) return dt_ok();
    DT_TRY(dt_file_open(path, &fd, NULL));
    FILE *in = fdopen(fd, "r");
    if (!in) {
        close(fd);
        return dt_fail_memory("the journal", BUFSIZ);
    }
    bool inside = false; /* of a line that is too long */
    while (fgets(line, sizeof line, in)) {
        size_t length = strlen(line);
        bool whole = length > 0 && line[length - 1] == '\n';
        if (!inside && whole) take_line(s, line);
        if (inside && whole) s->odd_lines++;
        inside = !whole;
    }
    fclose(in);
    return dt_ok();
}

const dt_start_told *dt_story_start(const dt_story *s) {
    return s->start_count > 0 ? &s->starts[s->start_count - 1] : NULL;
}
