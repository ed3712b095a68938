/* What a run has done so far: where it stands in its data, what it tallied, its best evaluation, the steps it passed
 * over. All of it is counted alike on every rank, but for samples since the last gathering. */
#include "ledger.h"

#include <math.h>
#include <string.h>

#include "use/computed.h"

enum { EPOCH_SUMS, LAST_SUMS, BEST_VALUE, CHAIN };

dt_status dt_ledger_gather(dt_ledger *ledger, const dt_ranks *ranks, dt_tally *interval) {
    dt_tally all = ledger->local, before = ledger->epoch;
    DT_TRY(dt_tally_gather(ranks, &all));
    dt_tally_add(&ledger->epoch, &all);
    memset(&ledger->local, 0, sizeof ledger->local);
    if (!interval) return dt_ok();
    *interval = ledger->epoch;
    dt_tally_subtract(interval, &before);
    return dt_ok();
}

void dt_ledger_end_epoch(dt_ledger *ledger) {
    ledger->last = ledger->epoch;
    ledger->epoch = (dt_tally){0};
    ledger->position.epoch++;
    ledger->position.sample = 0;
}

void dt_ledger_begin_anew(dt_ledger *ledger) {
    ledger->position.origin = ledger->position.step;
    ledger->position.epoch = ledger->position.sample = 0;
    ledger->epoch = ledger->last = (dt_tally){0};
    ledger->best = (dt_best_so_far){0};
    ledger->best_value = 0;
    ledger->skips.in_a_row = 0;
}

bool dt_ledger_skips(const dt_ledger *ledger, int64_t step) {
    for (int i = 0; i < DT_MAX_SKIPS; i++)
        if (ledger->skips.steps[i] == step + 1) return true;
    return false;
}

bool dt_ledger_skip(dt_ledger *ledger, int64_t step) {
    for (int i = 0; i < DT_MAX_SKIPS; i++) {
        if (ledger->skips.steps[i] != 0) continue;
        ledger->skips.steps[i] = step + 1;
        return true;
    }
    return false;
}

void dt_ledger_rolled_back(dt_ledger *ledger, const dt_skips *skips) {
    memcpy(ledger->skips.steps, skips->steps, sizeof skips->steps);
    memset(&ledger->local, 0, sizeof ledger->local);
}

void dt_ledger_step(dt_ledger *ledger, int64_t rows, bool skipped) {
    ledger->skips.count += skipped;
    ledger->skips.in_a_row = skipped ? ledger->skips.in_a_row + 1 : 0;
    ledger->position.step++;
    ledger->position.sample += rows;
}

bool dt_ledger_judge(dt_ledger *ledger, dt_best by) {
    const dt_tally *test = &ledger->test;
    dt_best_so_far *best = &ledger->best;
    bool loss = by == DT_BEST_TEST_LOSS || by == DT_BEST_VALIDATION_LOSS;
    double value = loss ? -dt_tally_loss(test) : (double)test->correct / (double)test->samples;
    bool better = isfinite(value) && (best->step == 0 || value > ledger->best_value);
    if (better) {
        ledger->best_value = value;
        best->value = loss ? -dt_tally_rounded_loss(test) : value;
        best->step = (double)ledger->position.step;
    }
    best->since = better ? 0 : best->since + 1;
    return better;
}

void dt_ledger_owe_evaluation(dt_ledger *ledger, dt_best by, bool owes) {
    if (by != DT_BEST_NONE && owes != dt_ledger_owes_evaluation(ledger)) ledger->best.since = -1 - ledger->best.since;
}

bool dt_ledger_owes_evaluation(const dt_ledger *ledger) {
    return ledger->best.since < 0;
}

/* ---- in a checkpoint ---- */

static dt_extra sums(const char *name, dt_tally *tally) {
    return (dt_extra){name, DT_I64, 2 * DT_SUM_LIMBS, (int64_t *)tally + DT_TALLY_DIGESTED};
}

void dt_ledger_put(dt_ledger *ledger, dt_extra *out, dt_beside *beside) {
    out[0] = (dt_extra){"epoch_tally", DT_I64, DT_TALLY_DIGESTED, &ledger->epoch};
    out[1] = (dt_extra){"last_tally", DT_I64, DT_TALLY_DIGESTED, &ledger->last};
    out[2] = (dt_extra){"best", DT_F64, sizeof ledger->best / sizeof(double), &ledger->best};
    out[3] = (dt_extra){"skips", DT_I64, sizeof ledger->skips / sizeof(int64_t), &ledger->skips};
    beside[EPOCH_SUMS].array = sums("epoch_sums", &ledger->epoch);
    beside[LAST_SUMS].array = sums("last_sums", &ledger->last);
    beside[CHAIN].array = (dt_extra){"chain", DT_U64, sizeof ledger->chain / sizeof(uint64_t), &ledger->chain};
    beside[BEST_VALUE].array = (dt_extra){"best_value", DT_F64, 1, &ledger->best_value};
}

/* The exact sums of a tally: from the file, or where it is of a time before them, from what it has. */
static dt_status settle_sums(dt_tally *tally, bool found, const char *path) {
    if (!found) dt_tally_from_rounded(tally);
    if (tally->samples >= 0 && dt_sum_sound(&tally->loss) && dt_sum_sound(&tally->abs_error)) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: its sums of losses make no sense", path);
}

dt_status dt_ledger_take(dt_ledger *ledger, const dt_beside *beside, const char *path) {
    DT_TRY(settle_sums(&ledger->epoch, beside[EPOCH_SUMS].found, path));
    DT_TRY(settle_sums(&ledger->last, beside[LAST_SUMS].found, path));
    if (!beside[BEST_VALUE].found) ledger->best_value = ledger->best.value;
    if (!beside[CHAIN].found) ledger->chain = (dt_link){0};
    return dt_ok();
}
