/* What a model knows of the data it was trained on, as a checkpoint keeps it: without them its weights mean nothing. */
#include "extras.h"

int dt_classes_extras(dt_classes *classes, dt_extra *out) {
    if (classes->count == 0) return 0;
    out[0] = (dt_extra){"class_values", DT_I64, classes->count, classes->values};
    return 1;
}

static int put_scaling(const dt_scaling *s, dt_extra out[2]) {
    out[0] = (dt_extra){s->of_targets ? "target_mean" : "input_mean", DT_F64, s->channels, s->mean};
    out[1] = (dt_extra){s->of_targets ? "target_std" : "input_std", DT_F64, s->channels, s->std};
    return 2;
}

int dt_scales_extras(const dt_recipe_data *data, const dt_scales *scales, dt_extra *out) {
    int count = dt_scale_is_computed(&data->scale) ? put_scaling(&scales->input, out) : 0;
    bool targets = scales->target.channels > 0 && dt_scale_is_computed(&data->target);
    if (targets) count += put_scaling(&scales->target, out + count);
    const dt_scaling *input = &scales->input;
    if (input->fill) out[count++] = (dt_extra){"input_fill", DT_F64, input->seen.columns, input->fill};
    return count;
}

/* Whether the recipe gives scales that change anything. */
static bool gives(const dt_recipe_scale *wanted, const dt_scaling *s) {
    bool changes = false;
    for (int64_t c = 0; c < s->channels; c++) changes |= s->mean[c] != 0 || s->std[c] != 1;
    return wanted->normalize == DT_NORMALIZE_GIVEN && changes;
}

int dt_scales_beside(const dt_recipe_data *data, const dt_scales *scales, dt_beside *out) {
    dt_extra extras[DT_SCALES_EXTRAS];
    int count = gives(&data->scale, &scales->input) ? put_scaling(&scales->input, extras) : 0;
    if (gives(&data->target, &scales->target)) count += put_scaling(&scales->target, extras + count);
    for (int i = 0; i < count; i++) out[i] = (dt_beside){.array = extras[i]};
    return count;
}

int dt_ranges_beside(const dt_source *source, const dt_scales *scales, dt_beside *out) {
    const dt_ranges *seen = &scales->input.seen;
    if (source->about.ids != 0) return 0;
    out[0].array = (dt_extra){"input_min", DT_F64, seen->columns, seen->least};
    out[1].array = (dt_extra){"input_max", DT_F64, seen->columns, seen->most};
    return DT_RANGES_BESIDE;
}

int dt_vocabulary_extras(dt_vocabulary *v, dt_extra *out) {
    if (v->size == 0) return 0;
    out[0] = (dt_extra){"vocab_kind", DT_I32, 1, &v->kind};
    out[1] = (dt_extra){"vocab_bytes", DT_U8, v->offsets[v->size], v->bytes};
    out[2] = (dt_extra){"vocab_offsets", DT_I64, v->size + 1, v->offsets};
    if (v->merge_count == 0) return 3;
    out[3] = (dt_extra){"vocab_merges", DT_I32, 3 * v->merge_count, v->merges};
    return 4;
}
