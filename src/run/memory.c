/* What a run keeps in memory: as it was planned, and what the system says its processes have grown by since it began. A
 * figure nothing is held against is soon wrong. */
#include "base/memory.h"

#include "base/log.h"
#include "trainee.h"

/* Bytes that the ranks of a node have in common, and that each has to itself. */
typedef struct item {
    const char *what;
    size_t shared, own;
} item;

enum { WEIGHTS, ROUNDED, MOMENTS, CARRIED, GRADIENT, ACTIVATIONS, INPUT, COPY, ROUNDS, ITEMS };

/* Bytes of a batch for each of its samples. */
static size_t bytes_of_sample(const dt_trainee *trainee, const dt_source *source) {
    size_t targets = source->targets.labels ? (size_t)source->targets.positions * sizeof *trainee->batch.labels
                                            : (size_t)source->targets.width * sizeof *trainee->batch.values;
    return (size_t)dt_shape_count(&source->about.input) * sizeof *trainee->batch.x + targets + sizeof *trainee->index +
           (dt_sample_weights_any(&source->weights) ? sizeof *trainee->batch.weights : 0);
}

dt_status dt_memory_of_rank(dt_comm *comm, size_t *out) {
    double mine = (double)dt_memory_available("") / dt_comm_node_size(comm), least;
    DT_TRY(dt_comm_spread(comm, &mine, 1, &least, NULL, NULL));
    *out = least < 1e18 ? (size_t)least : 0; /* 0: nobody says */
    return dt_ok();
}

dt_status dt_trainee_check_memory(const dt_trainee *trainee, const dt_session *session, const dt_source *source,
                                  const dt_course *course, size_t memory) {
    double weights = (double)trainee->table->total * sizeof *trainee->weights, ranks = dt_comm_node_size(session->comm);
    dt_work work = dt_trainee_work(trainee, session, course);
    double gradient = (double)dt_reduce_planned(&trainee->optimizer.table, &work);
    double kept = (weights + (double)dt_optimizer_bytes(&trainee->optimizer)) /
                  ranks; /* one copy on a machine, if it can be shared */
    double input = (double)trainee->rows_at_once * (double)bytes_of_sample(trainee, source),
           layers = (double)dt_model_memory(trainee->model);
    double all = layers + input + gradient + kept;
    if (memory == 0 || all <= (double)memory) return dt_ok();
    return dt_fail(DT_ERR_MEMORY,
                   "a rank needs %.3g GB (layers' outputs %.3g, input %.3g, gradient %.3g, its share of weights and "
                   "moments %.3g), and there are %.3g for it; use fewer ranks on a machine, a smaller "
                   "train.micro_batch (now %lld samples are computed at once), or a smaller model",
                   all / 1e9, layers / 1e9, input / 1e9, gradient / 1e9, kept / 1e9, (double)memory / 1e9,
                   (long long)trainee->rows_at_once);
}

static void list_items(const dt_trainee *trainee, const dt_source *source, const dt_memory_beside *beside,
                       item items[ITEMS]) {
    size_t weights = trainee->table->total * sizeof *trainee->weights, sample = bytes_of_sample(trainee, source);
    items[WEIGHTS] = (item){"weights", weights, 0};
    items[ROUNDED] =
        (item){"weights in bf16", trainee->weights16 ? trainee->table->total * sizeof *trainee->weights16 : 0, 0};
    items[MOMENTS] = (item){"moments", dt_optimizer_bytes(&trainee->optimizer), 0};
    items[CARRIED] = (item){"state of streams",
                            2 * (size_t)trainee->recurrent_state.count * sizeof *trainee->recurrent_state.now, 0};
    items[GRADIENT] = (item){"gradient", 0, 0};
    dt_reduce_memory(trainee->reducer, &items[GRADIENT].shared, &items[GRADIENT].own);
    items[ACTIVATIONS] = (item){"activations, scratch", 0, dt_model_memory(trainee->model)};
    size_t copied = source->x ? dt_array_copied(source->x) : 0;
    items[INPUT] = (item){"input", 0, (size_t)trainee->rows_at_once * sample + copied};
    items[COPY] = (item){"copy for checkpoints", 0, beside->copy};
    items[ROUNDS] = (item){"rounds of sites", beside->rounds, beside->rounds_own};
}

dt_status dt_trainee_print_memory(const dt_trainee *trainee, const dt_session *session, const dt_source *source,
                                  const dt_memory_beside *beside, int64_t before) {
    int64_t grown = (int64_t)dt_memory_share() - before, copies = (int64_t)beside->copy;
    int64_t total = 0, lasting = 0, machine = dt_comm_node_size(session->comm), node = dt_node_size(trainee->node);
    DT_TRY(dt_comm_sum_i64(session->comm, &grown, 1));
    DT_TRY(
        dt_comm_sum_i64(session->comm, &copies, 1)); /* arrays are dealt whole, so some ranks copy more than others */
    int64_t nodes = (machine + node - 1) / node;
    item items[ITEMS];
    dt_memory_beside mean = *beside;
    mean.copy = (size_t)(copies / dt_comm_size(session->comm));
    list_items(trainee, source, &mean, items);
    dt_log_info("memory of a machine with %lld ranks, MB: in common, a rank, all", (long long)machine);
    for (int i = 0; i < ITEMS; i++) {
        const int64_t times =
            i == ROUNDS ? 1 : nodes; /* a node may be a part of the machine: a group of sites has one */
        int64_t all = times * (int64_t)items[i].shared + machine * (int64_t)items[i].own;
        if (all == 0) continue;
        dt_log_info("  %-24s %10.1f %10.1f %10.1f", items[i].what, (double)items[i].shared / 1e6,
                    (double)items[i].own / 1e6, (double)all / 1e6);
        total += all;
        if (i <= MOMENTS) lasting += all;
    }
    dt_log_info("  planned %.1f MB, %.1f bytes a parameter but for gradients, activations, input, copies and rounds; "
                "grown by %.1f MB",
                (double)total / 1e6, (double)lasting / (double)trainee->table->total,
                (double)grown / 1e6 * (double)machine / dt_comm_size(session->comm));
    return dt_ok();
}
