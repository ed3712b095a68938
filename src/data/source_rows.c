/* Rows of tokens with a class each: [N, context], a row that is shorter filled up with an id of no token. This is a
 * whole kind of source: what it wants of a recipe, what it checks, what it says of its samples, how a batch is filled.
 */
#include "labels.h"
#include "source_tokens.h"

static bool serves(const dt_recipe_data *data) {
    return data->context > 0 && data->objective == DT_OBJECTIVE_CLASS;
}

static dt_status check_rows(const dt_source *source) {
    const dt_tokens *own = source->own;
    dt_shape shape = dt_array_row_shape(source->x);
    char said[96];
    dt_shape_text(&shape, said);
    if (shape.rank != 1 || shape.dim[0] != own->context || !dt_array_of_integers(source->x))
        return dt_fail(DT_ERR_INPUT, "%s: a row of %s is %s %s; with data.context %lld it must be as many integers",
                       source->file, source->x_name, dt_dtype_name(dt_array_dtype(source->x)), said,
                       (long long)own->context);
    if (source->targets.labels) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: %s is not one integer for each row; data.objective class needs class numbers",
                   source->file, source->targets.name);
}

static dt_status open_rows(dt_source *source, const dt_ranks *ranks, const dt_source_request *request) {
    DT_TRY(dt_ranks_agree(ranks, dt_tokens_create(source, request)));
    dt_tokens *own = source->own;
    DT_TRY(dt_source_open_pair(source, ranks, request, NULL));
    DT_TRY(check_rows(source));
    source->targets.either = false; /* the class of a row is what is predicted */
    own->short_rows = true;
    own->count = dt_array_rows(source->x) * own->context;
    return dt_tokens_check(source, ranks);
}

static dt_status recall(dt_source *source, const dt_source_request *request) {
    DT_TRY(dt_tokens_create(source, request));
    DT_TRY(dt_source_recall_pair(source, request));
    source->targets.either = false;
    return dt_ok();
}

static void describe(const dt_source *source, dt_source_about *about) {
    const dt_tokens *own = source->own;
    *about = (dt_source_about){.input = {1, {own->context}},
                               .dtype = dt_array_dtype(source->x),
                               .ids = own->vocabulary,
                               .tokens = own->context,
                               .noun = "row"};
}

static int64_t count(const dt_source *source) {
    return source->selection.count;
}

static dt_status fetch(const dt_source *source, const dt_fetch *wanted, dt_batch *batch) {
    const dt_tokens *own = source->own;
    dt_dtype dtype = dt_array_dtype(source->x);
    dt_real *x = batch->x;
    for (int64_t i = 0; i < wanted->rows; i++, x += own->context) {
        int64_t row = dt_selection_row(&source->selection, wanted->index[i]);
        const void *tokens = dt_array_row(source->x, row);
        for (int64_t t = 0; t < own->context; t++) {
            int64_t id = dt_integer_at(tokens, dtype, t);
            x[t] = (dt_real)(id == own->pad ? -1 : id);
        }
        if (!source->unlabelled) batch->labels[i] = dt_targets_class(&source->targets, row);
    }
    return dt_ok();
}

const dt_source_kind dt_source_rows = {.name = "rows",
                                       .serves = serves,
                                       .field = "tokens",
                                       .at = {offsetof(dt_recipe_data, train_tokens),
                                              offsetof(dt_recipe_data, validation_tokens),
                                              offsetof(dt_recipe_data, test_tokens)},
                                       .of_tokens = true,
                                       .open = open_rows,
                                       .recall = recall,
                                       .describe = describe,
                                       .count = count,
                                       .fetch = fetch,
                                       .place = dt_source_row_place,
                                       .close = dt_tokens_close};
