#include "rerun.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

/* Collective. Rank 0's `bytes` bytes at *array on all ranks, where they are to dt_free. */
static dt_status share(dt_comm *comm, void **array, size_t bytes) {
    uint64_t size = bytes;
    DT_TRY(dt_comm_broadcast(comm, &size, sizeof size, 0));
    if (dt_comm_rank(comm) > 0) *array = dt_alloc((size_t)size + 1, 1);
    DT_TRY(dt_comm_agree(comm, *array ? dt_ok() : dt_fail_memory("what a run claims", (size_t)size)));
    return size > 0 ? dt_comm_broadcast(comm, *array, (size_t)size, 0) : dt_ok();
}

/* What decides nothing but where and how fast it is computed may be of another machine. */
static dt_status fit_recipe(dt_recipe *recipe, const char *data) {
    recipe->compute.isa = (int)dt_isa_at_hand((dt_isa)recipe->compute.isa);
    recipe->compute.threads = dt_threads_allowed(recipe->compute.threads);
    recipe->train.time_limit = (dt_span){0, DT_SPAN_NEVER};
    if (recipe->reduce.wire == DT_WIRE_F32 && recipe->train.shards > 2)
        return dt_fail(
            DT_ERR_USAGE,
            "its reduce.wire is f32, whose sums are of another order on each number of ranks: nobody can compute "
            "them again; runs on i32 or i64 can be audited");
    if (data && (size_t)snprintf(recipe->data.file, sizeof recipe->data.file, "%s", data) >= sizeof recipe->data.file)
        return dt_fail(DT_ERR_USAGE, "--data is longer than %zu bytes", sizeof recipe->data.file - 1);
    return dt_ok();
}

/* Collective. */
static dt_status take_recipe(dt_rerun *r, dt_comm *comm, const dt_claims *claims, const char *data) {
    void *text = claims ? claims->recipe : NULL;
    dt_status status = share(comm, &text, claims ? strlen(claims->recipe) + 1 : 0);
    if (status.code == DT_OK) status = dt_recipe_read_resolved(&r->recipe, "the recipe of the newest checkpoint", text);
    if (status.code == DT_OK) status = fit_recipe(&r->recipe, data);
    if (!claims) dt_free(text);
    return dt_comm_agree(comm, status);
}

static int by_number(const void *a, const void *b) {
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;
    return (one > two) - (one < two);
}

/* Collective. */
static dt_status take_steps(dt_rerun *r, dt_comm *comm, const dt_claims *claims) {
    bool unknown = claims && !claims->recorded && r->recipe.checkpoint.best != DT_BEST_NONE;
    DT_TRY(dt_comm_agree(comm, unknown
                                   ? dt_fail(DT_ERR_USAGE,
                                             "%s: checkpoint.best counts evaluations, and which steps were evaluated "
                                             "is said by metrics.jsonl in its run directory alone",
                                             claims->run)
                                   : dt_ok()));
    int64_t counts[2] = {claims ? claims->count : 0, claims ? claims->links.evaluations : 0};
    void *steps = NULL, *evaluated = NULL;
    dt_status status = dt_comm_broadcast(comm, counts, sizeof counts, 0);
    if (claims) {
        int64_t *own = steps = dt_alloc((size_t)counts[0] + 1, sizeof *own);
        int64_t *copy = evaluated = dt_alloc((size_t)counts[1] + 1, sizeof *copy);
        for (int64_t i = 0; own && i < counts[0]; i++) own[i] = claims->all[i].step;
        if (copy && counts[1] > 0) memcpy(copy, claims->links.evaluated, (size_t)counts[1] * sizeof *copy);
        if (copy) qsort(copy, (size_t)counts[1], sizeof *copy, by_number);
    }
    if (status.code == DT_OK) status = share(comm, &steps, (size_t)counts[0] * sizeof(int64_t));
    r->steps = steps;
    if (status.code == DT_OK) status = share(comm, &evaluated, (size_t)counts[1] * sizeof(int64_t));
    r->evaluated = evaluated;
    r->count = counts[0];
    r->evaluations = counts[1];
    return status;
}

/* Rank 0. */
static dt_status check_data(const dt_rerun *r, const dt_claims *claims) {
    const char *path = claims->kept[claims->newest].path, *file = r->recipe.data.file;
    if (!claims->data) {
        dt_log_warn("%s: it does not say what data it was trained on (it is of an older dtrain)", path);
        return dt_ok();
    }
    dt_identity stored;
    DT_TRY(dt_identity_parse(&stored, claims->data, path));
    dt_status status = dt_identity_compare(&stored, &r->run.data.identity);
    if (status.code != DT_ERR_INPUT) return status;
    return dt_fail(DT_ERR_USAGE, "%s is other data than %s was trained on: %s; --data FILE says where that is", file,
                   claims->run, status.message);
}

/* Collective. */
static dt_status take_site(dt_rerun *r, dt_comm *comm, const dt_claims *claims) {
    DT_TRY(dt_comm_agree(comm, claims ? dt_rerun_find_site(r, claims) : dt_ok()));
    DT_TRY(dt_comm_broadcast(comm, r->site, sizeof r->site, 0));
    r->options.site = r->site;
    return dt_ok();
}

dt_status dt_rerun_open(dt_rerun *r, dt_comm *comm, const dt_claims *claims, const char *data) {
    static const char *const none[] = {NULL};
    memset(r, 0, sizeof *r);
    if (dt_comm_rank(comm) > 0) claims = NULL;
    DT_TRY(take_recipe(r, comm, claims, data));
    DT_TRY(take_steps(r, comm, claims));
    r->options = (dt_train_options){.resume = "never", .allowed = none};
    r->options.again = claims ? claims->run : ""; /* rank 0 alone reads it */
    if (dt_recipe_has_mailbox(&r->recipe)) DT_TRY(take_site(r, comm, claims));
    r->opened = true;
    dt_status status = dt_run_open_again(&r->run, comm, &r->recipe, &r->options);
    if (status.code == DT_ERR_INPUT || status.code == DT_ERR_IO) status.code = DT_ERR_USAGE;
    DT_TRY(status);
    return dt_comm_agree(comm, claims ? check_data(r, claims) : dt_ok());
}

void dt_rerun_close(dt_rerun *r) {
    if (r->opened) dt_run_close(&r->run);
    dt_free(r->steps);
    dt_free(r->evaluated);
    dt_recipe_finish(&r->recipe);
    memset(r, 0, sizeof *r);
}

static bool is_evaluated(const dt_rerun *r, int64_t step) {
    return bsearch(&step, r->evaluated, (size_t)r->evaluations, sizeof step, by_number) != NULL;
}

dt_status dt_rerun_to(dt_rerun *r, int64_t step, dt_again_digests *digests) {
    const dt_position *at = &r->run.ledger.position;
    while (at->step < step) {
        int64_t next = at->step + 1;
        DT_TRY(dt_again_step(&r->run, is_evaluated(r, next), next == step ? digests : NULL));
    }
    return dt_ok();
}
