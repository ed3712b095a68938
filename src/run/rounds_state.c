/* What a round leaves: the common state that checkpoints are made of, and what sites keep. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "rounds.h"

static size_t bytes_of(const dt_kept *kept) {
    return kept->elements * dt_dtype_size(kept->dtype);
}

void dt_rounds_plan_kept(dt_rounds *r, const dt_recipe *recipe) {
    static const dt_kept rows[DT_KEPT_COUNT] = {
        [DT_KEPT_MOMENTS] = {"site_moments", DT_F32, 0, NULL, NULL},
        [DT_KEPT_WIRE] = {"site_wire", DT_I32, 0, NULL, NULL},
        [DT_KEPT_UPDATES] = {"site_updates", DT_I64, 0, NULL, NULL},
        [DT_KEPT_CONTROL] = {"site_control", DT_F32, 0, NULL, NULL},
        [DT_KEPT_LOCAL] = {"site_local", DT_F32, 0, NULL, NULL},
        [DT_KEPT_ERROR] = {"site_error", DT_F32, 0, NULL, NULL},
    };
    memcpy(r->kept, rows, sizeof r->kept);
    const dt_optimizer *optimizer = &r->trainee.optimizer;
    if (recipe->sites.optimizer == DT_SITE_OPTIMIZER_KEEP) {
        int32_t *exponents;
        int64_t words;
        dt_reduce_state(r->trainee.reducer, &exponents, &words);
        r->kept[DT_KEPT_WIRE].elements = (size_t)words;
        r->kept[DT_KEPT_UPDATES].elements = 1;
        for (int i = 0; i < optimizer->slot_count; i++)
            r->kept[DT_KEPT_MOMENTS].elements += optimizer->slots[i].table->total;
    }
    if (recipe->sites.control) r->kept[DT_KEPT_CONTROL].elements = r->plan.table->total;
    r->kept[DT_KEPT_LOCAL].elements = r->plan.local;
    if (recipe->sites.wire != DT_SITE_WIRE_I32) r->kept[DT_KEPT_ERROR].elements = r->plan.count;
}

/* ---- as the first round finds it ---- */

static void put_local(const dt_rounds *r, float *row, const dt_real *weights) {
    const dt_table *table = r->plan.table;
    for (int i = 0; i < table->count; i++) {
        if (!r->plan.is_local[i]) continue;
        memcpy(row, weights + table->tensors[i].offset, table->tensors[i].count * sizeof *row);
        row += table->tensors[i].count;
    }
}

/* Gradients' exponents as a run begins, and local tensors as they are initialised. */
static void begin_rows(dt_rounds *r, const dt_real *weights) {
    int32_t *exponents;
    int64_t words;
    dt_reduce_state(r->trainee.reducer, &exponents, &words);
    for (int site = 0; site < r->sites; site++) {
        const dt_kept *wire = &r->kept[DT_KEPT_WIRE], *local = &r->kept[DT_KEPT_LOCAL];
        if (wire->elements > 0) memcpy(dt_kept_row(wire, site), exponents, bytes_of(wire));
        if (local->elements > 0) put_local(r, dt_kept_row(local, site), weights);
    }
}

dt_status dt_rounds_share_kept(dt_rounds *r, const dt_session *session, const dt_real *weights) {
    dt_status status = dt_ok();
    for (int i = 0; i < DT_KEPT_COUNT && status.code == DT_OK; i++) {
        dt_kept *kept = &r->kept[i];
        if (kept->elements == 0) continue;
        kept->rows =
            dt_node_alloc(session->node, (size_t)r->sites * kept->elements, dt_dtype_size(kept->dtype), &status);
        if (status.code == DT_OK)
            kept->next =
                dt_node_alloc(session->node, (size_t)r->chosen * kept->elements, dt_dtype_size(kept->dtype), &status);
    }
    DT_TRY(dt_status_within(status, "what sites keep from round to round (sites.optimizer, wire, control, local)"));
    if (dt_node_rank(session->node) == 0) begin_rows(r, weights);
    dt_node_meet(session->node);
    return dt_ok();
}

void dt_rounds_memory(const dt_run *run, size_t *machine, size_t *own) {
    const dt_rounds *r = run->rounds;
    const dt_trainee *common = &run->trainee;
    const size_t arena = common->table->total * sizeof *common->weights, words = r->plan.count * sizeof *r->words;
    const int groups = dt_node_size(run->session.node) / dt_node_size(r->session.node); /* of the machine */
    *machine = arena * (size_t)(1 + r->outer.slot_count + (r->control != NULL)) + (size_t)groups * words;
    if (common->weights16) *machine += common->table->total * sizeof *common->weights16;
    for (int i = 0; i < DT_KEPT_COUNT; i++) *machine += (size_t)(r->sites + r->chosen) * bytes_of(&r->kept[i]);
    const bool each = r->robust.kind != DT_ROBUST_NONE; /* then the changes one by one, and what is made of them */
    *own = each ? (size_t)(r->chosen + 1) * words : words;
    *own += (size_t)r->samples.first[r->sites] * sizeof *r->samples.list;
}

/* ---- a round counts ---- */

/* The bits of a row, of the rank that leads the group which made it, added to zeros of all others. */
static dt_status spread(const dt_rounds *r, const dt_session *session, const dt_kept *kept, int place,
                        uint32_t *words) {
    const size_t bytes = bytes_of(kept), count = (bytes + sizeof *words - 1) / sizeof *words;
    memset(words, 0, count * sizeof *words);
    bool leads = r->now.group[place] == r->group && r->session.ranks.rank == 0;
    if (leads) memcpy(words, dt_kept_next(kept, place), bytes);
    DT_TRY(dt_comm_sum_u32(session->comm, words, count));
    if (dt_node_rank(session->node) == 0) memcpy(dt_kept_next(kept, place), words, bytes);
    return dt_ok();
}

/* Collective. Machines have of a round what was trained on them: now all have all of it. */
static dt_status spread_all(const dt_rounds *r, const dt_session *session) {
    size_t most = 0;
    for (int i = 0; i < DT_KEPT_COUNT; i++)
        if (bytes_of(&r->kept[i]) > most) most = bytes_of(&r->kept[i]);
    if (most == 0 || dt_node_count(session->node) == 1) return dt_ok();
    uint32_t *words = dt_alloc(most / sizeof *words + 1, sizeof *words);
    DT_TRY(dt_session_agree(session, words ? dt_ok() : dt_fail_memory("what sites keep", most)));
    dt_status status = dt_ok();
    for (int i = 0; i < DT_KEPT_COUNT; i++)
        for (int place = 0; r->kept[i].elements > 0 && place < r->chosen && status.code == DT_OK; place++)
            status = spread(r, session, &r->kept[i], place, words);
    dt_free(words);
    return status;
}

dt_status dt_rounds_keep(dt_rounds *r, const dt_session *session, const bool *took_part) {
    dt_node *node = session->node;
    dt_node_meet(node);
    DT_TRY(spread_all(r, session));
    dt_node_meet(node);
    for (int place = dt_node_rank(node); place < r->chosen; place += dt_node_size(node)) {
        const int site = r->now.site[place];
        for (int i = 0; took_part[site] && dt_rounds_has(r, site) && i < DT_KEPT_COUNT; i++)
            if (r->kept[i].elements > 0)
                memcpy(dt_kept_row(&r->kept[i], site), dt_kept_next(&r->kept[i], place), bytes_of(&r->kept[i]));
    }
    dt_node_meet(node);
    return dt_ok();
}

/* ---- in a checkpoint ---- */

void dt_rounds_describe(dt_rounds *r, dt_snapshot *snapshot) {
    dt_state *state = &snapshot->state;
    for (int i = 0; i < r->outer.slot_count; i++) {
        snprintf(r->outer_groups[i], sizeof r->outer_groups[i], "/outer/%s", r->outer.names[i]);
        state->sections[state->section_count++] =
            (dt_section){.group = r->outer_groups[i], .table = r->plan.table, .data = r->outer.slots[i]};
    }
    if (r->control)
        state->sections[state->section_count++] =
            (dt_section){.group = "/control", .table = r->plan.table, .data = r->control};
    state->extras[state->extra_count++] = (dt_extra){"change_exponents", DT_I32, r->plan.unit_count, r->exponents};
    for (int i = 0; i < DT_KEPT_COUNT; i++) {
        const dt_kept *kept = &r->kept[i];
        if (kept->elements == 0) continue;
        state->beside[state->beside_count++] =
            (dt_beside){.array = {kept->name, kept->dtype, (int64_t)((size_t)r->sites * kept->elements), kept->rows},
                        .shared = true};
    }
    state->beside[state->beside_count++].array = (dt_extra){"sites_bytes", DT_U64, 1, &r->figures.bytes};
    dt_rounds_describe_middle(r, snapshot);
}
