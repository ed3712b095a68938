/* What a run learns from: its training data, what it is judged by, and what has to be known of them to use the model.
 */
#ifndef DTRAIN_RUN_DATA_H
#define DTRAIN_RUN_DATA_H

#include "data/classes.h"
#include "data/identity.h"
#include "data/scaling.h"
#include "data/source.h"
#include "data/tokenizer.h"
#include "session.h"

typedef struct dt_run_data {
    dt_source train;
    dt_source test;           /* what it is judged by while it trains: validation data, if there is any */
    dt_split judge;           /* which of the two */
    bool has_test;            /* there is one */
    dt_vocabulary vocabulary; /* of a text's file */
    dt_identity identity;     /* of both */
    char identity_text[DT_IDENTITY_TEXT];
    dt_scales scales;
    dt_classes classes; /* of labels that are no class numbers, and their names */
} dt_run_data;

/* Collective. Opens both sources and identifies them. */
dt_status dt_run_data_open(dt_run_data *data, const dt_session *session);
void dt_run_data_close(dt_run_data *data);

/* targets.c. That test targets are of the kind of the training targets. */
dt_status dt_run_data_check_targets(dt_run_data *data);
/* What targets are to a model with so many outputs; `resumes`: the classes are a checkpoint's. The same on every rank,
 * but memory may fail on one. */
dt_status dt_run_data_settle_targets(dt_run_data *data, const dt_reals *class_weights, int64_t outputs, bool resumes);
/* Says what is worth knowing of the classes. */
void dt_run_data_tell_targets(const dt_run_data *data);

#endif
