/* Differentially private training (DP-SGD; Abadi et al. 2016) as a run has it: which samples a step takes, what is
 * added to their sum, and what that has spent. A run without has one that is off. With privacy.unit: site a step is a
 * round here, and a sample a site (rounds_private.c). */
#ifndef DTRAIN_PRIVACY_H
#define DTRAIN_PRIVACY_H

#include "comm/reduce.h"
#include "course.h"
#include "model/model.h"
#include "run_data.h"
#include "session.h"
#include "site/accountant.h"
#include "site/noise.h"

enum { DT_PRIVACY_BESIDE = 2 };

typedef struct dt_privacy {
    const dt_recipe_privacy *recipe; /* NULL: it is off, and nothing else counts */
    dt_noise *noise;
    double rate; /* of a sample being in a batch, of a site in a round */
    double clip; /* of a sample's gradient or a site's change, a little below the recipe's: see dt_privacy_settle */
    double deviation; /* of a draw of noise, in words of the wire */
    int exponent;     /* a word counts 2^-exponent */
    char *about;      /* what a step's sum follows from besides the weights: see site/noise.h */
    size_t about_bytes;
    int64_t samples;             /* that steps draw from */
    int64_t *chosen, room, rows; /* samples of the present step, sites of the round: [rows] of room */
    dt_identity open;            /* of the data, to compare with that of a checkpoint that was not private */
    bool limits;                 /* the budget ends the run before its recipe would */
    /* in checkpoints, beside the digest: */
    dt_spent spent;
    uint8_t name[DT_NOISE_NAME]; /* of the secret */
} dt_privacy;

/* Whether steps are private, and not rounds. */
bool dt_privacy_is_of_steps(const dt_privacy *privacy);
/* Collective, once the data is open, and known whether a checkpoint is gone on with: the secret is on all ranks, and
 * the data's identity no longer one by which a sample could be guessed. */
dt_status dt_privacy_open(dt_privacy *privacy, const dt_session *session, dt_run_data *data, bool goes_on);
/* Once the course is planned, with what steps draw from: how large batches are, and how fine the wire is. */
dt_status dt_privacy_plan(dt_privacy *privacy, const dt_session *session, const dt_course *course, int64_t samples);
/* Rows a rank computes at once, of a batch that is seldom larger than planned for. */
int64_t dt_privacy_rows_at_once(const dt_privacy *privacy, const dt_recipe *recipe, const dt_course *course);
/* Once the model is planned and the recipe resolved: what is left of privacy.clip for a sample's gradient, so that with
 * all rounding the sum of words moves by no more than privacy.clip when a sample comes or goes. */
dt_status dt_privacy_settle(dt_privacy *privacy, const dt_session *session, const dt_run_data *data,
                            const dt_model *model, const dt_course *course);
void dt_privacy_close(dt_privacy *privacy);

/* Where it is in a checkpoint, into out[DT_PRIVACY_BESIDE]. Returns how many; 0 where it is off. */
int dt_privacy_put(dt_privacy *privacy, dt_beside *out);
/* That a private run may go on from a checkpoint; *open: that is none of a private one, nor is what it says of its
 * data.
 */
dt_status dt_privacy_follows(const dt_privacy *privacy, const dt_checkpoint_head *head, const char *path, bool *open);
/* After such rows were loaded from `path`, of a run at `step`. */
dt_status dt_privacy_take(const dt_privacy *privacy, const dt_beside *beside, int64_t step, const char *path);
/* The course ends where the budget does. */
dt_status dt_privacy_bound(dt_privacy *privacy, dt_course *course, const dt_position *position);

/* Rank 0 says what makes the promise weaker than it looks. */
void dt_privacy_warn(const dt_session *session, const dt_run_data *data);

/* A step begins, with a draw from `all` samples. The same on every rank. */
dt_status dt_privacy_begin(dt_privacy *privacy, int64_t all, int64_t step, const dt_real *weights, size_t count);
/* For dt_reduce_disturb. */
void dt_privacy_disturb(void *privacy, int32_t *words, size_t begin, size_t count);
/* The step has counted. */
dt_status dt_privacy_end(dt_privacy *privacy);
double dt_privacy_epsilon(const dt_privacy *privacy);

#endif
