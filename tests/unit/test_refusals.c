/* What a model refuses, in messages that name the layer and the line. */
#include <check.h>
#include <string.h>

#include "models.h"

static const dt_recipe_loss squared_error = {DT_LOSS_MEAN_SQUARED_ERROR, 0};
static const dt_recipe_loss binary = {DT_LOSS_BINARY_CROSS_ENTROPY, 0};

/* A model of `layers` or its failure. */
static dt_status try_list(dt_model **model, const char *layers, const dt_recipe_loss *loss, dt_shape input,
                          int64_t outputs, bool labels, int64_t max_rows, bool training) {
    dt_model_spec spec = {
        .input = input, .outputs = outputs, .targets = labels, .rows = max_rows, .training = training};
    return try_model(model, layers, loss, &spec);
}

static dt_shape vector(int64_t n) {
    return (dt_shape){1, {n}};
}

typedef struct refusal {
    const char *layers; /* begins at line 1 */
    const dt_recipe_loss *loss;
    dt_shape input;
    int64_t outputs;
    bool labels;
    const char *says[3];
} refusal;

#define PICTURE_REFUSED(layers, ...)                                                                                   \
    {                                                                                                                  \
        layers, &cross_entropy, {3, {6, 5, 2}}, 0, true, {                                                             \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

static const refusal refusals[] = {
    {"", &cross_entropy, {1, {4}}, 0, true, {"model.layers", "list"}},
    {"[]", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:1", "model.layers", "list"}},
    {"{dense: 3}", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:1", "model.layers", "list"}},
    {"dense", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:1", "list"}},
    {"\n- dense: 3\n- dens: 3", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:3", "`dens`", "dense, flatten"}},
    {"\n- dense: 3\n- relu6", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:3", "`relu6`", "leaky_relu"}},
    {"\n- dense: 3\n- [dense]", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:3", "model.layers.1", "- dense: 10"}},
    {"\n- dense: 3\n  relu: 1", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "model.layers.0", "one kind"}},
    {"\n- dense: [3]", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "dense", "named fields"}},
    {"\n- relu: 3\n- dense: 2", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "relu", "name alone"}},
    {"\n- dense", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "model.layers.0.dense.out"}},
    {"\n- dense:\n- dense: 2", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "model.layers.0.dense.out"}},
    {"\n- dense:\n    activation: relu",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "model.layers.0.dense.out"}},
    {"\n- dense: 0", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "model.layers.0.dense.out", "0"}},
    {"\n- dense: {out: 3,\n    activaton: relu}",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:3", "activaton", "activation"}},
    {"\n- dense: {out: 3, activation: rulu}", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "rulu", "leaky_relu"}},
    {"\n- dense: 3\n- dropout: 1",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:3", "model.layers.1.dropout.rate", "1"}},
    {"\n- dropout: -0.1\n- dense: 3", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "dropout.rate", "-0.1"}},
    {"\n- dense: {out: 3, name: a/b}", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "`a/b`", "letters"}},
    {"\n- dense: {out: 3, name: x}\n- dense: {out: 2, name: x}",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:3", "layer x", "test.yaml:2"}},
    {"\n- dense: {out: 3, name: dense2}\n- dense: 2",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:3", "dense2", "test.yaml:2"}},
    {"\n- relu\n- dense: 3", &cross_entropy, {2, {4, 4}}, 3, true, {"test.yaml:3", "[4, 3]", "flatten"}},
    {"\n- flatten\n- relu", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:3", "layer relu1", "train"}},
    {"\n- dense: 8",
     &cross_entropy,
     {1, {4}},
     10,
     true,
     {"test.yaml:2: layer dense1", "8 values", "10 classes (labels 0..9)"}},
    {"\n- dense: 12", &squared_error, {1, {4}}, 10, false, {"test.yaml:2", "12 values", "exactly 10"}},
    {"\n- dense: 8", &squared_error, {1, {4}}, 10, false, {"test.yaml:2", "8 values", "exactly 10"}},
    {"\n- dense: 1", &binary, {1, {4}}, 3, true, {"test.yaml:2", "3 classes", "at least 3"}},
    {"\n- dense: 1", &cross_entropy, {1, {4}}, 1, true, {"test.yaml:2", "1 value", "binary_cross_entropy"}},
    {"\n- dense: 3\n- softmax", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:3", "softmax_cross_entropy", "remove"}},
    {"\n- dense: 3\n- softmax\n- flatten", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:3", "already", "remove"}},
    {"\n- dense: 3\n- sigmoid", &binary, {1, {4}}, 0, true, {"test.yaml:3", "binary_cross_entropy", "remove"}},
    {"\n- dense: {out: 3, activation: sigmoid}", &binary, {1, {4}}, 0, true, {"test.yaml:2", "sigmoid", "remove"}},
    {"\n- dense: 2147483648\n- dense: 2147483648",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:3: layer dense2", "dense2/w", "2147483648"}},
    {"\n- dense: 4\n- residual: [dense: 5]\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:3: layer residual1", "its layers give [5] but x is [4]", "`shortcut`"}},
    {"\n- residual:\n    layers: [dense: 5]\n    shortcut: [dense: 6]\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2: layer residual1", "[5]", "its shortcut gives [6]"}},
    {"\n- residual\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "model.layers.0.residual.layers is missing", "[dense: 10, relu]"}},
    {"\n- residual: []\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "model.layers.0.residual.layers", "list of layers"}},
    {"\n- residual: {layers: 3}",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "residual.layers is no such list"}},
    {"\n- residual:\n    layers:\n    - dense: 4\n    - dens: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:5", "`dens`", "residual"}},
    {"\n- residual:\n    layers:\n    - dense: {out: 4,\n        bias: perhaps}",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:5", "model.layers.0.residual.layers.0.dense.bias", "true or false"}},
    {"\n- residual:\n    layers: [dense: 4]\n    shortcuts: [dense: 4]",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:4", "shortcuts is not a field", "residual.shortcut?"}},
    {"\n- residual:\n    layers: [dense: 4]\n    activation: tanh",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:4", "residual.activation", "linear or relu"}},
    {"\n- residual:\n    layers:\n    - dense: {out: 4, name: shortcut}\n    shortcut:\n    - dense: {out: 4, name: w}",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:6: layer residual1/shortcut/w", "residual1/shortcut/w", "`name`"}},
    {"\n- residual:\n    layers:\n    - dense: {out: 4, name: x}\n    - dense: {out: 4, name: x}",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:5", "layer x", "test.yaml:4"}},
    {"\n- residual:\n    name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n    layers:\n    - dense: {out: 4, name: "
     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb}",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:5", "longer than 63 bytes", "shorter `name`"}},
    {"\n- concat\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "concat.branches is missing", "each a list of layers"}},
    {"\n- concat: [dense: 3, relu]\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "concat.branches", "[[dense: 10], []]"}},
    {"\n- concat:\n  - [dense: 3]\n  - [dens: 3]\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:4", "`dens`"}},
    {"\n- concat: [[], [flatten]]\n- dense: 3",
     &cross_entropy,
     {2, {2, 2}},
     0,
     true,
     {"layer concat1", "branch 1 gives [2, 2] but branch 2 gives [4]", "last dimension"}},
    {"\n- group_norm: 3\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2: layer group_norm1", "4 channels", "3 groups"}},
    {"\n- batch_norm\n- dense: 3", &cross_entropy, {2, {4, 4}}, 3, true, {"test.yaml:3", "flatten"}},
    {"\n- batch_norm: {scale: no, shift: no}",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2: layer batch_norm1", "anything to train"}},
    {"\n- batch_norm: {momentum: 1}\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "batch_norm.momentum", "less than 1"}},
    {"\n- lstm\n- dense: 3", &cross_entropy, {2, {4, 2}}, 0, true, {"test.yaml:2", "lstm.units", "missing"}},
    {"\n- simple_rnn: 0\n- dense: 3", &cross_entropy, {2, {4, 2}}, 0, true, {"test.yaml:2", "simple_rnn.units", "1"}},
    {"\n- gru: {units: 3, layers: 9}\n- dense: 3",
     &cross_entropy,
     {2, {4, 2}},
     0,
     true,
     {"test.yaml:2", "gru.layers", "8"}},
    {"\n- lstm: {units: 3, dropout: 1}\n- dense: 3",
     &cross_entropy,
     {2, {4, 2}},
     0,
     true,
     {"test.yaml:2", "lstm.dropout", "less than 1"}},
    {"\n- gru: {units: 3, forget_bias: 1}\n- dense: 3",
     &cross_entropy,
     {2, {4, 2}},
     0,
     true,
     {"test.yaml:2", "forget_bias"}},
    {"\n- lstm: 5\n- dense: 3", &cross_entropy, {3, {4, 2, 2}}, 0, true, {"test.yaml:2", "lstm1", "[4, 2, 2]"}},
    {"\n- gru: 5\n- dense: 3", &cross_entropy, {0, {0}}, 0, true, {"test.yaml:2", "gru1", "[positions, channels]"}},
    {"\n- layer_norm: {eps: 0}\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "layer_norm.eps", "greater than 0"}},
    {"\n- rms_norm: {shift: yes}\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "rms_norm.shift is not a field"}},
    {"\n- upsample: 2\n- flatten\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2: layer upsample1", "[4]", "[H, W, C]"}},
    {"\n- reshape: [2, 3]\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2: layer reshape1", "[4], 4 values", "[2, 3]"}},
    {"\n- reshape: [-1, -1]\n- dense: 3", &cross_entropy, {1, {4}}, 0, true, {"layer reshape1", "[-1, -1]"}},
    {"\n- reshape: [0, 4]\n- dense: 3", &cross_entropy, {1, {4}}, 0, true, {"layer reshape1", "[0, 4]"}},
    {"\n- reshape: [-1, 3]\n- dense: 3", &cross_entropy, {1, {4}}, 0, true, {"layer reshape1", "[-1, 3]"}},
    {"\n- reshape: [2, two]\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "model.layers.0.reshape.shape is [2, two]", "whole numbers"}},
    {"\n- reshape: [2, [2]]\n- dense: 3", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "whole numbers"}},
    {"\n- reshape: [1, 1, 1, 1, 1, 1, 4]\n- dense: 3", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "at most 6"}},
    {"\n- reshape: []\n- dense: 3", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "whole numbers"}},
    {"\n- reshape: {shape: {a: 1}}\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:2", "reshape.shape is a map"}},
    {"\n- reshape: [4611686018427387904, 4611686018427387904]\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"at most 1099511627776"}},
    {"\n- transpose: [0, 0]\n- flatten\n- dense: 3",
     &cross_entropy,
     {2, {2, 2}},
     0,
     true,
     {"test.yaml:2: layer transpose1", "[0, 0]", "0 to 1 once"}},
    {"\n- transpose: [0]\n- flatten\n- dense: 3",
     &cross_entropy,
     {2, {2, 2}},
     0,
     true,
     {"layer transpose1", "2 dimensions"}},
    {"\n- transpose: [0, 6]\n- flatten\n- dense: 3",
     &cross_entropy,
     {2, {2, 2}},
     0,
     true,
     {"transpose.order is [0, 6]", "at most 5"}},
    {"[{dense: 3}]", &cross_entropy, {1, {0}}, 0, true, {"[0]"}},
    {"\n- conv2d: 3\n- dense: 4",
     &cross_entropy,
     {3, {6, 5, 2}},
     4,
     true,
     {"test.yaml:3: layer dense1", "[6, 5, 4]", "flatten"}},
    PICTURE_REFUSED("\n- flatten\n- conv2d: 3", "test.yaml:3: layer conv2d1", "[60]", "[height, width, channels]"),
    PICTURE_REFUSED("\n- conv1d: 3", "test.yaml:2: layer conv1d1", "[6, 5, 2]", "[length, channels]"),
    PICTURE_REFUSED("\n- conv2d: {kernel: 3}", "test.yaml:2", "conv2d.out", NULL),
    PICTURE_REFUSED("\n- conv2d: {out: 3, kernel: 0}", "test.yaml:2: layer conv2d1", "kernel is `0`", "3x5"),
    PICTURE_REFUSED("\n- conv2d: {out: 3, kernel: 3x}", "kernel is `3x`", "at least 1", "3x5"),
    PICTURE_REFUSED("\n- conv2d: {out: 3, kernel: 3x3x3}", "kernel is `3x3x3`", "height x width", NULL),
    PICTURE_REFUSED("\n- conv2d: {out: 3, kernel: 99999999999}", "kernel is `99999999999`", NULL, NULL),
    PICTURE_REFUSED("\n- conv2d: {out: 3, stride: -1}", "stride is `-1`", "at least 1", NULL),
    PICTURE_REFUSED("\n- conv2d: {out: 3, dilation: 1.5}", "dilation is `1.5`", "whole number", NULL),
    PICTURE_REFUSED("\n- conv2d: {out: 3, kernel: 2000000000, dilation: 2000000000}", "cannot be meant", NULL, NULL),
    PICTURE_REFUSED("\n- conv2d: {out: 3, padding: some}", "padding is `some`", "same, valid or a number", NULL),
    PICTURE_REFUSED("\n- conv2d: {out: 3, padding: 3}", "padding is 3", "only 3 wide", "less"),
    PICTURE_REFUSED("\n- conv2d: {out: 3, kernel: 7, padding: valid}", "7 x 7", "[6, 5, 2]", "padding: same"),
    PICTURE_REFUSED("\n- conv2d: {out: 3, groups: 2}", "groups is 2", "2 input channels", "3 outputs"),
    PICTURE_REFUSED("\n- conv2d: {out: 6, groups: 3}", "groups is 3", "2 input channels", "6 outputs"),
    PICTURE_REFUSED("\n- conv2d: 3\n- max_pool: {kernel: 2, dilation: 2}", "test.yaml:3", "dilation", NULL),
    PICTURE_REFUSED("\n- max_pool: 6\n- conv2d: 3", "test.yaml:2: layer max_pool1", "6 x 6", "[6, 5, 2]"),
    PICTURE_REFUSED("\n- avg_pool: {kernel: 2, padding: 2}", "layer avg_pool1", "padding is 2", NULL),
    PICTURE_REFUSED("\n- global_avg_pool: 3", "global_avg_pool", "name alone", NULL),
    PICTURE_REFUSED("\n- global_avg_pool\n- max_pool: 2x2", "test.yaml:3: layer max_pool1", "kernel is `2x2`", NULL),
    {"\n- dense: 3\n- embedding: 4", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:3: layer embedding1", "the first"}},
    {"\n- embedding: 4", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2: layer embedding1", "data.context"}},
    {"\n- dense: 3\n- unembed: table",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:3", "table/w is no embedding", "`of`"}},
    {"\n- dense: {out: 3, name: d}\n- dense: 5\n- unembed: d",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"test.yaml:4", "d/w is no embedding"}},
    {"\n- unembed", &cross_entropy, {1, {4}}, 0, true, {"layer unembed1", "no classes"}},
    {"\n- token_pool\n- dense: 3",
     &cross_entropy,
     {1, {4}},
     0,
     true,
     {"layer token_pool1", "[4]", "[positions, width]"}},
    {"\n- gpt: 3", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "gpt takes named fields"}},
    {"\n- gpt: {layers: 1, heads: 2}", &cross_entropy, {1, {4}}, 0, true, {"model.layers.0.gpt.width"}},
    {"\n- bert: {layers: 1, heads: 3, width: 4}", &cross_entropy, {1, {4}}, 0, true, {"test.yaml:2", "divide width"}},
    {"\n- conv1d: {out: 3, kernel: 3x3}", &cross_entropy, {2, {9, 2}}, 0, true, {"kernel is `3x3`", "at least 1"}},
    {"\n- attention: 3", &cross_entropy, {2, {5, 8}}, 0, true, {"test.yaml:2", "8 channels", "3 heads"}},
    {"\n- attention: 2", &cross_entropy, {1, {8}}, 0, true, {"layer attention1", "[8]", "[positions, channels]"}},
    {"\n- attention: 2", &cross_entropy, {3, {4, 4, 8}}, 0, true, {"layer attention1", "[4, 4, 8]", NULL}},
    {"\n- attention: 0", &cross_entropy, {2, {5, 8}}, 0, true, {"attention.heads", "0", NULL}},
    {"\n- attention: {causal: no}", &cross_entropy, {2, {5, 8}}, 0, true, {"attention.heads", NULL}},
    {"\n- attention: {heads: 4, kv_heads: 3}", &cross_entropy, {2, {5, 8}}, 0, true, {"kv_heads is 3", "heads, 4"}},
    {"\n- attention: {heads: 4, kv_heads: 8}", &cross_entropy, {2, {5, 8}}, 0, true, {"kv_heads is 8", "heads, 4"}},
    {"\n- attention: {heads: 2, rotary: yes}", &cross_entropy, {2, {5, 6}}, 0, true, {"rotary", "has 3", "even"}},
    {"\n- attention: {heads: 2, rotary_base: 1}", &cross_entropy, {2, {5, 8}}, 0, true, {"rotary_base", "1", NULL}},
    {"\n- global_max_pool\n- dense: 2", &cross_entropy, {4, {2, 2, 2, 2}}, 0, true, {"[2, 2, 2, 2]", "[length"}},
};

START_TEST(a_list_that_cannot_be_used_is_refused_with_layer_and_line) {
    const refusal *r = &refusals[_i];
    dt_model *model;
    dt_status status = try_list(&model, r->layers, r->loss, r->input, r->outputs, r->labels, 4, true);
    ck_assert_msg(status.code == DT_ERR_INPUT, "%s: code %d, %s", r->layers, (int)status.code, status.message);
    ck_assert_ptr_null(model);
    for (int i = 0; i < 3 && r->says[i]; i++)
        ck_assert_msg(strstr(status.message, r->says[i]) != NULL, "%s: `%s` is not in: %s", r->layers, r->says[i],
                      status.message);
}
END_TEST

START_TEST(widths_that_fit_the_targets_are_accepted) {
    static const struct {
        const char *layers;
        const dt_recipe_loss *loss;
        int64_t outputs;
        bool labels;
    } fits[] = {
        {"[{dense: 10}]", &cross_entropy, 10, true},
        {"[{dense: 12}]", &cross_entropy, 10, true},
        {"[{dense: 10}]", &squared_error, 10, false},
        {"[{dense: 1}]", &squared_error, 17, true},
        {"[{dense: 1}]", &binary, 2, true},
        {"[{dense: 1}]", &binary, 1, false},
        {"[{dense: 3}, softmax]", &squared_error, 3, true},
        {"[{dense: 7}]", &cross_entropy, 0, true},
    };
    for (int i = 0; i < COUNT(fits); i++) {
        dt_model *model;
        dt_status status =
            try_list(&model, fits[i].layers, fits[i].loss, vector(4), fits[i].outputs, fits[i].labels, 2, true);
        ck_assert_msg(status.code == DT_OK, "%s: %s", fits[i].layers, status.message);
        dt_model_destroy(model);
    }
}
END_TEST

START_TEST(an_output_must_have_a_position_for_each_label) {
    static const struct {
        const char *layers, *says;
        int64_t classes, targets;
    } rows[] = {
        {"[{dense: 12}, {reshape: [3, 4]}]", NULL, 4, 3},
        {"[{dense: 12}, {reshape: [3, 4]}]", NULL, 3, 3},
        {"[{dense: 12}, {reshape: [3, 1, 4]}]", NULL, 4, 3},
        {"[{dense: 12}, {reshape: [3, 4]}]", "gives 4 values but the data has 5 classes", 5, 3},
        {"[{dense: 12}, {reshape: [3, 4]}]", "it gives [3, 4] but a sample has 4 labels", 3, 4},
        {"[{dense: 12}]", "it gives [12] but a sample has 3 labels", 4, 3},
        {"[{dense: 12}, {reshape: [3, 4]}]", "it gives [3, 4], classes at each of several positions", 4, 1},
        {"[{dense: 12}, {reshape: [1, 12]}]", NULL, 12, 1},
        {"[{reshape: [4, 1]}, {dense: 3}]", NULL, 3, 4},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        dt_model *model;
        dt_model_spec spec = {
            .input = vector(4), .outputs = rows[i].classes, .targets = rows[i].targets, .rows = 2, .training = true};
        dt_status status = try_model(&model, rows[i].layers, &cross_entropy, &spec);
        ck_assert_int_eq(status.code, rows[i].says ? DT_ERR_INPUT : DT_OK);
        ck_assert_msg(!rows[i].says || strstr(status.message, rows[i].says), "%s", status.message);
        dt_model_destroy(model);
    }
}
END_TEST

START_TEST(memory_that_cannot_be_had_is_an_error_not_a_crash) {
    static const int64_t rows[] = {INT64_MAX, INT64_MAX / 8, (int64_t)1 << 50};
    for (int i = 0; i < COUNT(rows); i++) {
        dt_model *model;
        dt_status status = try_list(&model, "[{dense: 9}]", &cross_entropy, vector(4), 0, true, rows[i], true);
        ck_assert_int_eq(status.code, DT_ERR_MEMORY);
        ck_assert_ptr_null(model);
    }
    dt_model *model;
    for (int i = 0; i < COUNT(rows); i++) {
        dt_status status =
            try_list(&model, "[{conv2d: 9}]", &cross_entropy, (dt_shape){2, {4, 4}}, 0, true, rows[i], true);
        ck_assert_msg(status.code == DT_ERR_MEMORY, "%s", status.message);
    }
    dt_shape large = {2, {1 << 20, 1 << 20}};
    dt_status status = try_list(&model, "[{conv2d: 2147483648}]", &cross_entropy, large, 0, true, 1, true);
    ck_assert_msg(status.code == DT_ERR_MEMORY, "%s", status.message);
    ck_assert_int_eq(try_list(&model, "[{dense: 9}]", &cross_entropy, vector(4), 0, true, 0, true).code, DT_ERR_INPUT);
    dt_model_destroy(NULL);
}
END_TEST

/* AddressSanitizer's allocator would abort where malloc returns NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

int main(void) {
    Suite *suite = suite_create("refusals");
    TCase *group = tcase_create("refusals");
    tcase_add_loop_test(group, a_list_that_cannot_be_used_is_refused_with_layer_and_line, 0, COUNT(refusals));
    tcase_add_test(group, widths_that_fit_the_targets_are_accepted);
    tcase_add_test(group, an_output_must_have_a_position_for_each_label);
    tcase_add_test(group, memory_that_cannot_be_had_is_an_error_not_a_crash);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
