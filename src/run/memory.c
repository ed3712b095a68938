/* What a run keeps in memory: as it was planned, and what the system says its processes have grown by since it began. A
 * figure nothing is held against is soon wrong. */
#include "base/memory.h"

#include "base/log.h"
#include "run_internal.h"

/* Bytes that the ranks of a node have in common, and that each has to itself. */
typedef struct item {
    const char *what;
    size_t shared, own;
} item;

enum { WEIGHTS, ROUNDED, MOMENTS, CARRIED, GRADIENT, ACTIVATIONS, INPUT, ITEMS };

static size_t slots_of(const dt_run *run) {
    size_t slots = 0;
    while (run->slot_names[slots]) slots++;
    return slots;
}

/* Bytes of a batch for each of its samples. */
static size_t bytes_of_sample(const dt_run *run) {
    size_t targets = run->train.targets.labels ? (size_t)run->train.targets.positions * sizeof *run->batch.labels
                                               : (size_t)run->train.targets.width * sizeof *run->batch.values;
    return (size_t)dt_shape_count(&run->train.about.input) * sizeof *run->batch.x + targets + sizeof *run->index;
}

dt_status dt_memory_of_rank(dt_comm *comm, size_t *out) {
    double mine = (double)dt_memory_available("") / dt_comm_node_size(comm), least;
    DT_TRY(dt_comm_spread(comm, &mine, 1, &least, NULL, NULL));
    *out = least < 1e18 ? (size_t)least : 0; /* 0: nobody says */
    return dt_ok();
}

dt_status dt_run_check_memory(const dt_run *run) {
    double weights = (double)run->table->total * sizeof *run->weights, ranks = dt_comm_node_size(run->comm);
    double kept = weights * (double)(1 + slots_of(run)) / ranks; /* one copy on a machine, if it can be shared */
    double input = (double)run->rows_at_once * (double)bytes_of_sample(run),
           layers = (double)dt_model_memory(run->model);
    double all = layers + input + weights + kept;
    if (run->memory == 0 || all <= (double)run->memory) return dt_ok();
    return dt_fail(DT_ERR_MEMORY,
                   "a rank needs %.3g GB (layers' outputs %.3g, input %.3g, gradient %.3g, its share of weights and "
                   "moments %.3g), and there are %.3g for it; use fewer ranks on a machine, a smaller "
                   "train.micro_batch (now %lld samples are computed at once), or a smaller model",
                   all / 1e9, layers / 1e9, input / 1e9, weights / 1e9, kept / 1e9, (double)run->memory / 1e9,
                   (long long)run->rows_at_once);
}

static void list_items(const dt_run *run, item items[ITEMS]) {
    size_t weights = run->table->total * sizeof *run->weights, slots = slots_of(run), sample = bytes_of_sample(run);
    items[WEIGHTS] = (item){"weights", weights, 0};
    items[ROUNDED] = (item){"weights in bf16", run->weights16 ? run->table->total * sizeof *run->weights16 : 0, 0};
    items[MOMENTS] = (item){"moments", slots * weights, 0};
    items[CARRIED] =
        (item){"state of streams", 2 * (size_t)run->recurrent_state.count * sizeof *run->recurrent_state.now, 0};
    items[GRADIENT] = (item){"gradient", 0, 0};
    dt_reduce_memory(run->reducer, &items[GRADIENT].shared, &items[GRADIENT].own);
    items[ACTIVATIONS] = (item){"activations, scratch", 0, dt_model_memory(run->model)};
    items[INPUT] = (item){"input", 0, (size_t)run->rows_at_once * sample};
}

dt_status dt_run_print_memory(const dt_run *run) {
    int64_t grown = (int64_t)dt_memory_share() - run->memory_before;
    int64_t total = 0, lasting = 0, machine = dt_comm_node_size(run->comm), node = dt_node_size(run->node);
    DT_TRY(dt_comm_sum_i64(run->comm, &grown, 1));
    int64_t nodes = (machine + node - 1) / node;
    item items[ITEMS];
    list_items(run, items);
    dt_log_info("memory of a machine with %lld ranks, MB: in common, a rank, all", (long long)machine);
    for (int i = 0; i < ITEMS; i++) {
        int64_t all = nodes * (int64_t)items[i].shared + machine * (int64_t)items[i].own;
        if (all == 0) continue;
        dt_log_info("  %-24s %10.1f %10.1f %10.1f", items[i].what, (double)items[i].shared / 1e6,
                    (double)items[i].own / 1e6, (double)all / 1e6);
        total += all;
        if (i <= MOMENTS) lasting += all;
    }
    dt_log_info("  planned %.1f MB, %.1f bytes a parameter but for gradients, activations and input; grown by %.1f MB",
                (double)total / 1e6, (double)lasting / (double)run->table->total,
                (double)grown / 1e6 * (double)machine / dt_comm_size(run->comm));
    return dt_ok();
}
