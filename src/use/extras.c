/* What a model knows of the data it was trained on, as a checkpoint keeps it: without them its weights mean nothing. */
#include "extras.h"

int dt_classes_extras(dt_classes *classes, dt_extra *out) {
    if (classes->count == 0) return 0;
    out[0] = (dt_extra){"class_values", DT_I64, classes->count, classes->values};
    return 1;
}

int dt_scaling_extras(const dt_recipe_data *data, const dt_scaling *scaling, dt_extra *out) {
    if (data->normalize == DT_NORMALIZE_GIVEN) return 0;
    out[0] = (dt_extra){"input_mean", DT_F64, scaling->channels, scaling->mean};
    out[1] = (dt_extra){"input_std", DT_F64, scaling->channels, scaling->std};
    return 2;
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
