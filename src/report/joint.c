#include "joint.h"

#include <math.h>
#include <string.h>

const char *const dt_joint_chain[] = {"step", "digest_high", "digest_low", "link_high", "link_low", NULL};
const char *const dt_joint_round[] = {"step", "sites", "took_part", "bytes", "change", NULL};
const char *const dt_joint_site_row[] = {"step", "site", "samples", "loss", "accuracy", "took_part", "weight", NULL};
const char *const dt_joint_privacy[] = {"step", "epsilon", NULL};

static void forget_figure(dt_joint_figure *figure) {
    const double none = (double)NAN;
    *figure = (dt_joint_figure){none, none, none, {0}, 0};
    for (int i = 0; i < DT_JOINT_CURVES; i++) figure->curve[i] = none;
}

/* Of one more site; what is no number is not told. */
static void take_figure(dt_joint_figure *figure, double site, double value) {
    if (!isfinite(value)) return;
    const double before = figure->sites > 0 ? figure->mean : 0;
    figure->mean = before + (value - before) / (double)++figure->sites;
    if (!(figure->least <= value)) figure->least = value;
    if (!(figure->most >= value)) figure->most = value;
    if (site < DT_JOINT_CURVES) figure->curve[(int)site] = value;
}

static void forget_round(dt_joint *j) {
    forget_figure(&j->now_loss);
    forget_figure(&j->now_accuracy);
    j->now_left_out = 0;
    for (int i = 0; i < j->site_count; i++) j->site[i].now = '.';
}

void dt_joint_begin(dt_joint *j) {
    const double none = (double)NAN;
    memset(j, 0, sizeof *j);
    j->link_step = j->round = j->sites = j->took_part = j->bytes = j->change = j->last_incomplete = none;
    j->left_out = j->epsilon = j->epsilon_step = none;
    forget_figure(&j->loss);
    forget_figure(&j->accuracy);
    forget_round(j);
}

/* ---- the chain ---- */

/* A number of 64 bits from its halves; what is none is 0. */
static uint64_t whole(double high, double low) {
    const double most = 4294967295.0;
    if (!(high >= 0 && high <= most && low >= 0 && low <= most)) return 0;
    return (uint64_t)high << 32 | (uint64_t)low;
}

static void take_link(dt_joint *j, const double *row) {
    j->links++;
    j->link_step = row[0];
    j->digest = whole(row[1], row[2]);
    j->link = whole(row[3], row[4]);
}

/* ---- rounds ---- */

static dt_joint_site *site_of(dt_joint *j, int64_t number) {
    for (int i = 0; i < j->site_count; i++)
        if (j->site[i].number == number) return &j->site[i];
    if (j->site_count == DT_JOINT_SITES) return NULL;
    dt_joint_site *site = &j->site[j->site_count++];
    *site = (dt_joint_site){.number = number, .now = '.', .weight = (double)NAN};
    memset(site->marks, '.', sizeof site->marks);
    return site;
}

static void take_site(dt_joint *j, const double *row) {
    const double number = row[1];
    const bool in = row[5] > 0;
    if (!(number >= 0 && number < 1e9)) return;
    j->now_left_out += !in;
    take_figure(&j->now_loss, number, row[3]);
    take_figure(&j->now_accuracy, number, row[4]);
    dt_joint_site *site = site_of(j, (int64_t)number);
    if (!site) return;
    site->took_part += in;
    site->left_out += !in;
    site->now = in ? '1' : '0';
    site->samples = row[2];
    site->loss = row[3];
    site->accuracy = row[4];
    if (isfinite(row[6])) site->weight = row[6];
}

/* The row of a round comes behind those of its sites. */
static void take_round(dt_joint *j, const double *row) {
    j->rounds++;
    j->round = row[0];
    j->sites = row[1];
    j->took_part = row[2];
    j->bytes = row[3];
    j->change = row[4];
    j->loss = j->now_loss;
    j->accuracy = j->now_accuracy;
    j->left_out = (double)j->now_left_out;
    if (j->now_left_out > 0) {
        j->incomplete++;
        j->last_incomplete = j->round;
    }
    for (int i = 0; i < j->site_count; i++) {
        char *marks = j->site[i].marks;
        memmove(marks, marks + 1, DT_JOINT_MARKS - 1);
        marks[DT_JOINT_MARKS - 1] = j->site[i].now;
    }
    forget_round(j);
}

void dt_joint_take(dt_joint *j, int series, const double *row) {
    if (series == DT_JOINT_CHAIN) take_link(j, row);
    if (series == DT_JOINT_ROUND) take_round(j, row);
    if (series == DT_JOINT_SITE) take_site(j, row);
    if (series != DT_JOINT_PRIVACY) return;
    j->epsilon_step = row[0];
    j->epsilon = row[1];
}
