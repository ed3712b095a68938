/* Accuracy of the wires on real gradients: those of the default network on Fashion-MNIST, at the start, when they are
 * largest, and later, when most have become small and a few samples dominate. Every rank trains the same network in
 * plain floats by itself and can compute every shard's gradient, so each has the sum in float64 to compare with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/ranks.h"
#include "base/memory.h"
#include "comm/reduce.h"
#include "data/import.h"
#include "data/sampler.h"
#include "data/source.h"
#include "isa.h"
#include "model/model.h"
#include "optim/optim.h"

#define FASHION "/usr/share/datasets/fashion-mnist/"

enum { BATCH = 256, STEPS = 604, IN_A_ROW = 4, MOST_SHARDS = 64 };
static const int stages[] = {0, 20, 100, 600}; /* steps from which on IN_A_ROW are looked at */
static const int shard_counts[] = {1, 2, 8, 64};
static const struct {
    const char *name;
    dt_wire wire;
    double bound; /* of the error, as a share of the tensor's largest element */
} wires[] = {{"i32", DT_WIRE_I32, 0x1p-20}, {"i64", DT_WIRE_I64, 0x1p-23}};
enum { STAGES = sizeof stages / sizeof *stages, COUNTS = sizeof shard_counts / sizeof *shard_counts, WIRES = 2 };

static const dt_kernels *kernels;
static dt_node *node;
static dt_source source;
static dt_model *model;
static const dt_table *table;
static dt_reducer *reducers[COUNTS][WIRES];
static dt_batch batch;
static dt_scaling scaling;
static int64_t index_of[BATCH];
static const dt_recipe_optimizer adam = {.kind = DT_ADAM, .lr = 0.001, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
static dt_optimizer optimizer;
static dt_real *weights, *gradient, *shards; /* [total]; [MOST_SHARDS, total] */
static double *exact;                        /* [total] */

static void open_data(void) {
    static const char *const sources[] = {FASHION "train-images-idx3-ubyte.gz", FASHION "train-labels-idx1-ubyte.gz"};
    char path[4096];
    snprintf(path, sizeof path, "%s/dtrain-gradients-%ld.h5", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
             (long)getpid());
    bool first = dt_comm_rank(world) == 0;
    dt_import import = {.source_count = 2, .sources = sources, .destination = path};
    ranks_assert_ok(first ? dt_import_run(dt_importer_find("idx"), &import) : dt_ok());
    ranks_assert_ok(dt_comm_broadcast(world, path, sizeof path, 0));
    static const dt_recipe_data data = {.train_x = "/train/x", .train_y = "/train/y"};
    dt_status status = dt_source_open(&source, &ranks, &(dt_source_request){.file = path, .data = &data});
    if (first) unlink(path);
    ranks_assert_ok(status);
    ranks_assert_ok(dt_scaling_open(
        &scaling, &source, &(dt_recipe_data){.scale = {DT_NORMALIZE_GIVEN, 0, DT_REAL(72.94), DT_REAL(90.02)}}));
}

static void open_model(void) {
    dt_yaml *root;
    dt_recipe_loss loss = {.kind = DT_LOSS_SOFTMAX_CROSS_ENTROPY};
    ranks_assert_ok(dt_yaml_parse_text(&root, "the test's layers",
                                       "layers: [flatten, dense: {out: 128, activation: relu}, dense: 10]\n"));
    dt_model_spec spec = {
        .input = source.about.input, .outputs = source.targets.classes, .targets = 1, .rows = BATCH, .training = true};
    ranks_assert_ok(dt_model_create(&model, dt_yaml_get(root, "layers"), &loss, &spec, kernels));
    dt_yaml_destroy(root);
    table = dt_model_table(model);
}

static void setup(void) {
    ranks_assert_ok(dt_compute_open(&kernels, test_isa(), 1));
    open_data();
    open_model();
    ranks_assert_ok(dt_node_open(&node, world, 0));
    for (int c = 0; c < COUNTS; c++)
        for (int w = 0; w < WIRES; w++) {
            const dt_work work = {.shards = shard_counts[c], .shards_per_rank = shard_counts[c], .wire = wires[w].wire};
            ranks_assert_ok(dt_reduce_create(&reducers[c][w], node, kernels, table, &work));
        }
    weights = dt_alloc(table->total, sizeof *weights);
    gradient = dt_alloc(table->total, sizeof *gradient);
    ranks_assert_ok(dt_optimizer_plan(&optimizer, kernels, &adam, NULL, table));
    for (int s = 0; s < 2; s++) optimizer.slots[s].data = dt_alloc(table->total, sizeof(dt_real));
    shards = dt_alloc(MOST_SHARDS * table->total, sizeof *shards);
    exact = dt_alloc(table->total, sizeof *exact);
    batch.x = dt_alloc((size_t)BATCH * (size_t)dt_shape_count(&source.about.input), sizeof *batch.x);
    batch.labels = dt_alloc(BATCH, sizeof *batch.labels);
    ranks_assert(weights && gradient && optimizer.slots[0].data && optimizer.slots[1].data && shards && exact &&
                 batch.x && batch.labels);
    dt_model_init(model, weights, 1);
}

static void teardown(void) {
    for (int c = 0; c < COUNTS; c++)
        for (int w = 0; w < WIRES; w++) dt_reduce_destroy(reducers[c][w]);
    dt_free(weights);
    dt_free(gradient);
    for (int s = 0; s < 2; s++) dt_free(optimizer.slots[s].data);
    dt_optimizer_finish(&optimizer);
    dt_free(shards);
    dt_free(exact);
    dt_free(batch.x);
    dt_free(batch.labels);
    dt_node_close(node);
    dt_model_destroy(model);
    dt_scaling_close(&scaling);
    dt_source_close(&source);
}

/* The gradient of the samples [offset, offset + count) of a step's batch. */
static void compute(int step, int64_t offset, int64_t count, dt_real *g) {
    int64_t epoch = (int64_t)step * BATCH / source.samples, at = (int64_t)step * BATCH % (source.samples - BATCH);
    dt_sampler sampler = dt_sampler_at(source.samples, true, 1, epoch);
    for (int64_t i = 0; i < count; i++) index_of[i] = dt_sampler_index(&sampler, at + offset + i);
    dt_source_fetch(&source, kernels, &(dt_scales){.input = scaling}, NULL, index_of, count, &batch);
    dt_tally tally = {0};
    dt_model_train(model, (dt_pass){.kernels = kernels, .training = true, .weights = weights, .grads = g}, &batch,
                   &tally);
}

static void train(int step) {
    compute(step, 0, BATCH, gradient);
    dt_optimizer_step numbers = dt_optimizer_begin(&optimizer, step, BATCH, BATCH, 0, adam.lr);
    dt_optimizer_apply(&optimizer, &numbers, weights, gradient, 0, table->total);
}

/* All shards' gradients, and their sum in float64. */
static void compute_shards(int step, int count) {
    memset(exact, 0, table->total * sizeof *exact);
    for (int s = 0; s < count; s++) {
        int64_t offset, rows;
        dt_real *g = shards + (size_t)s * table->total;
        dt_shard_range(BATCH, count, s, &offset, &rows);
        compute(step, offset, rows, g);
        for (size_t i = 0; i < table->total; i++) exact[i] += (double)g[i];
    }
}

/* The wire's sum, compared where this rank has it: the worst tensor's largest error as a share of its largest element.
 */
static double error_of(dt_reducer *reducer, int count) {
    int64_t first, own;
    dt_rank_shards(count, dt_comm_size(world), dt_comm_rank(world), &first, &own);
    for (bool redo = true; redo;) {
        dt_reduce_begin(reducer);
        for (int64_t s = first; s < first + own; s++) {
            memcpy(dt_reduce_next(reducer), shards + (size_t)s * table->total, table->total * sizeof *shards);
            dt_reduce_add(reducer);
        }
        ranks_assert_ok(dt_reduce_finish(reducer, &redo));
    }
    size_t begin, end;
    dt_reduce_slice(reducer, &begin, &end);
    for (size_t at = begin; at < end; at += DT_TABLE_BLOCK) {
        size_t to = end - at < DT_TABLE_BLOCK ? end : at + DT_TABLE_BLOCK;
        memcpy(gradient + at, dt_reduce_take(reducer, at, to), (to - at) * sizeof *gradient);
    }
    dt_reduce_done(reducer);
    double worst = 0;
    for (int t = 0; t < table->count; t++) {
        const dt_tensor *tensor = &table->tensors[t];
        double largest = 0, error = 0;
        for (size_t i = tensor->offset; i < tensor->offset + tensor->count; i++) {
            largest = fmax(largest, fabs(exact[i]));
            if (i >= begin && i < end) error = fmax(error, fabs((double)gradient[i] - exact[i]));
        }
        worst = fmax(worst, error / largest);
    }
    double most;
    ranks_assert_ok(dt_comm_spread(world, &worst, 1, NULL, NULL, &most));
    return most;
}

START_TEST(the_error_on_real_gradients_is_below_2_to_minus_20_of_the_largest_element) {
    double worst[COUNTS][WIRES] = {{0}};
    for (int step = 0, stage = 0; step < STEPS; step++) {
        if (stage + 1 < STAGES && step >= stages[stage + 1]) stage++;
        for (int c = 0; c < COUNTS && step < stages[stage] + IN_A_ROW; c++) {
            compute_shards(step, shard_counts[c]);
            for (int w = 0; w < WIRES; w++) worst[c][w] = fmax(worst[c][w], error_of(reducers[c][w], shard_counts[c]));
        }
        train(step);
    }
    for (int c = 0; c < COUNTS; c++) {
        for (int w = 0; w < WIRES; w++) {
            if (dt_comm_rank(world) == 0)
                printf("shards %d, %s: worst error 2^%.1f\n", shard_counts[c], wires[w].name, log2(worst[c][w]));
            ranks_assert(worst[c][w] <= wires[w].bound);
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("gradients");
    TCase *tests = tcase_create("gradients");
    tcase_set_timeout(tests, 0);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_error_on_real_gradients_is_below_2_to_minus_20_of_the_largest_element);
    suite_add_tcase(suite, tests);
    return run_on_ranks(suite);
}
