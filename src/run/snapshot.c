/* Which arrays a run's state is, under which names: the one place that says what is in a checkpoint, and in which order
 * a digest goes over it. The parts fill in their own rows. */
#include "snapshot.h"

#include <string.h>

#include "base/memory.h"

dt_status dt_snapshot_resolve(dt_snapshot *snapshot, dt_recipe *recipe, const dt_model *model, int64_t shards) {
    dt_yaml *layers;
    DT_TRY(dt_model_resolved(model, &layers));
    recipe->train.shards = shards;
    dt_status status = dt_recipe_emit(recipe, layers, &snapshot->recipe);
    dt_yaml_destroy(layers);
    return status;
}

static int put_wire(dt_reducer *reducer, dt_extra *out) {
    int32_t *exponents;
    int64_t words;
    if (!reducer) return 0;
    dt_reduce_state(reducer, &exponents, &words);
    if (words == 0) return 0;
    out[0] = (dt_extra){DT_WIRE_EXPONENTS, DT_I32, words, exponents};
    return 1;
}

void dt_snapshot_describe(dt_snapshot *snapshot, const dt_session *session, dt_run_data *data, dt_trainee *trainee,
                          dt_ledger *ledger, dt_privacy *privacy, int64_t shards, bool rounds) {
    int sections = dt_trainee_sections(trainee, snapshot->sections), extras = DT_LEDGER_EXTRAS;
    dt_extra *out = snapshot->extras;
    dt_ledger_put(ledger, out, snapshot->beside);
    int beside = DT_LEDGER_BESIDE;
    if (rounds) { /* two sites have other tallies */
        for (int i = 0; i < DT_LEDGER_EXTRAS; i++) snapshot->beside[beside++].array = out[i];
        extras = 0;
    }
    extras += put_wire(trainee->reducer, out + extras);
    extras += dt_vocabulary_extras(&data->vocabulary, out + extras);
    extras += dt_classes_extras(&data->classes, out + extras);
    extras += dt_scales_extras(&session->recipe->data, &data->scales, out + extras);
    extras += dt_recurrent_state_extras(&trainee->recurrent_state, out + extras);
    beside += dt_ranges_beside(&data->train, &data->scales, snapshot->beside + beside);
    beside += dt_scales_beside(&session->recipe->data, &data->scales, snapshot->beside + beside);
    snapshot->privacy = snapshot->beside + beside;
    beside += dt_privacy_put(privacy, snapshot->privacy);
    const dt_classes *classes = &data->classes;
    if (classes->names)
        snapshot->beside[beside++].array = (dt_extra){"class_names", DT_U8, classes->names_bytes, classes->names};
    snapshot->state = (dt_state){.seed = session->recipe->seed,
                                 .shards = shards,
                                 .recipe = snapshot->recipe,
                                 .data = data->identity_text,
                                 .isa = dt_isa_name(trainee->kernels->isa),
                                 .sections = snapshot->sections,
                                 .section_count = sections,
                                 .extras = out,
                                 .extra_count = extras,
                                 .beside = snapshot->beside,
                                 .beside_count = beside,
                                 .may_commit = session->lock ? dt_session_may_commit : NULL,
                                 .commit_context = session->lock};
}

void dt_snapshot_close(dt_snapshot *snapshot) {
    dt_publisher_close(snapshot->publisher);
    dt_free(snapshot->recipe);
}

const dt_state *dt_snapshot_state(dt_snapshot *snapshot, const dt_ledger *ledger) {
    snapshot->state.position = ledger->position;
    return &snapshot->state;
}
