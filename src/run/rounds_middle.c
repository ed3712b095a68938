/* The middle of a round, where one site alone is trained here: a round may take longer than a job, so checkpoints that
 * fall into it also have the site as it stands. They are of the round's beginning, and so are their digests; what the
 * site has is beside. With several sites a round is short enough to begin anew. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "rounds.h"
#include "use/computed.h"

void dt_rounds_describe_middle(dt_rounds *r, dt_snapshot *snapshot) {
    dt_state *state = &snapshot->state;
    const dt_trainee *trainee = &r->trainee;
    int32_t *exponents;
    int64_t words;
    if (!r->alone) return;
    r->middle.round = -1;
    state->beside[state->beside_count++].array =
        (dt_extra){"middle", DT_I64, sizeof r->middle / sizeof(int64_t), &r->middle};
    state->beside[state->beside_count++] = (dt_beside){
        .array = {"middle_weights", DT_F32, (int64_t)trainee->table->total, trainee->weights}, .shared = true};
    for (int i = 0; i < trainee->optimizer.slot_count; i++) {
        const dt_slot *slot = &trainee->optimizer.slots[i];
        snprintf(r->middle_names[i], sizeof r->middle_names[i], "middle_%s", slot->name);
        state->beside[state->beside_count++] =
            (dt_beside){.array = {r->middle_names[i], DT_F32, (int64_t)slot->table->total, slot->data}, .shared = true};
    }
    dt_reduce_state(trainee->reducer, &exponents, &words);
    if (words > 0) state->beside[state->beside_count++].array = (dt_extra){"middle_wire", DT_I32, words, exponents};
}

dt_status dt_rounds_note_middle(dt_run *run, int site, int64_t done) {
    dt_rounds *r = run->rounds;
    dt_tally tally = r->ledger.local;
    DT_TRY(dt_tally_gather(&r->session.ranks, &tally));
    r->middle = (dt_middle){.round = run->ledger.position.step,
                            .site = site,
                            .done = done,
                            .begun = r->trainee.begun,
                            .skipped = r->ledger.skips.count,
                            .tally = tally};
    memcpy(&r->middle.rates, &r->trainee.rates, sizeof r->middle.rates);
    run->snapshot.behind = true; /* the newest checkpoint of this round is of a moment before */
    return dt_ok();
}

int64_t dt_rounds_take_middle(dt_run *run, int site) {
    dt_rounds *r = run->rounds;
    const dt_middle middle = r->middle;
    bool here = middle.round == run->ledger.position.step && middle.site == site;
    if (!here || middle.done < dt_rounds_steps(r, site)) r->middle.round = -1;
    if (!here) return 0;
    dt_rounds_be(r, site, middle.round, middle.done);
    if (r->session.ranks.rank == 0) r->ledger.local = middle.tally;
    r->ledger.skips.count = middle.skipped;
    r->trainee.begun = middle.begun;
    memcpy(&r->trainee.rates, &middle.rates, sizeof r->trainee.rates);
    if (run->session.first)
        dt_log_info("round %lld: site %d goes on behind step %lld of %lld", (long long)middle.round + 1, site,
                    (long long)middle.done, (long long)dt_rounds_steps(r, site));
    return middle.done;
}
