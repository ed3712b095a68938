/* A run's course: how far it goes, and when something is due on the way (course.c). */
#ifndef DTRAIN_COURSE_H
#define DTRAIN_COURSE_H

#include "config/recipe.h"
#include "data/source.h"
#include "store/checkpoint.h"

typedef struct dt_course {
    int64_t batch;   /* samples of a global batch */
    int64_t shards;  /* it is cut into */
    int64_t samples; /* of an epoch */
    int64_t streams; /* whose windows a batch has one of each; 0: none */
    int64_t steps_per_epoch, total_steps;
    int64_t first_step; /* of this process */
} dt_course;

/* The steps of a run of these data, from the present position on. With sites steps are rounds, and so are epochs. */
void dt_course_plan(dt_course *course, const dt_recipe *recipe, const dt_source *source, const dt_position *position);
/* That a checkpoint's position is one of this data; `file` is what it is called. */
dt_status dt_course_check(const dt_source *source, const char *file, const dt_position *position);
/* Samples of the step at a position. */
int64_t dt_course_rows(const dt_course *course, const dt_position *position);
/* Steps between two events of a span; 0 when it does not count steps. */
int64_t dt_course_span(const dt_course *course, dt_span span);
/* Whether an event is due at a position: spans in steps count updates, those in epochs what was used of the data. */
bool dt_course_due(const dt_course *course, dt_span span, const dt_position *position);

#endif
