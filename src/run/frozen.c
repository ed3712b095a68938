/* A checkpoint has moments and exponents of the tensors that were trained, and a run that goes on from it may train
 * others: model.freeze was changed on purpose, or the file is of a dtrain that kept them of frozen tensors, too. It is
 * then loaded as what it is, so that its digest is compared like any other's, and what both have is taken over. */
#include "frozen.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/pattern.h"

/* The state that a file has which trained some of the tensors: sections and extras of its own. */
typedef struct older {
    dt_state state;
    dt_table table; /* of what it trained */
    dt_section sections[1 + DT_MAX_SLOTS];
    dt_table slots[DT_MAX_SLOTS];
    dt_extra *extras;
    int32_t *exponents; /* two words a tensor, and two more; NULL where the wire has none */
} older;

static bool fits_any(const dt_yaml *patterns, const char *name) {
    for (const dt_yaml *pattern = patterns ? patterns->first : NULL; pattern; pattern = pattern->next)
        if (dt_pattern_fits(pattern->text, name)) return true;
    return false;
}

/* ---- what a file has ----------------------------------------------------------------------------------------------
 */

static dt_extra *exponents_of(dt_extra *extras, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(extras[i].name, DT_WIRE_EXPONENTS) == 0) return &extras[i];
    return NULL;
}

/* A slot as it is where `trained` are. */
static dt_status add_slot(older *o, const dt_slot *slot, const dt_table *trained) {
    dt_table *table = &o->slots[o->state.section_count - 1];
    for (int i = 0; i < trained->count; i++) {
        const dt_tensor *tensor = &trained->tensors[i];
        dt_shape shape = slot->shape ? slot->shape(tensor) : tensor->shape;
        DT_TRY(dt_table_add(table, tensor->name, &shape, 0));
    }
    dt_section *section = &o->sections[o->state.section_count++];
    section->table = table;
    section->data = dt_alloc(table->total, sizeof *section->data);
    return section->data ? dt_ok() : dt_fail_memory("the checkpoint's moments", table->total * sizeof *section->data);
}

/* Of the model's tensors those are trained that `frozen` does not fit. */
static dt_status older_open(older *o, const dt_trainee *trainee, const dt_state *state, const dt_yaml *frozen) {
    memset(o, 0, sizeof *o);
    o->state = *state;
    for (int i = 0; i < trainee->table->count; i++) {
        const dt_tensor *tensor = &trainee->table->tensors[i];
        if (!fits_any(frozen, tensor->name)) DT_TRY(dt_table_add(&o->table, tensor->name, &tensor->shape, 0));
    }
    memcpy(o->sections, state->sections, (size_t)state->section_count * sizeof *o->sections);
    o->state.sections = o->sections;
    o->state.section_count = 1; /* the weights, which are all there in any case */
    for (int i = 0; i < trainee->optimizer.slot_count; i++)
        DT_TRY(add_slot(o, &trainee->optimizer.slots[i], &o->table));
    o->extras = dt_alloc((size_t)state->extra_count, sizeof *o->extras);
    if (!o->extras) return dt_fail_memory("the checkpoint's arrays", (size_t)state->extra_count * sizeof *o->extras);
    memcpy(o->extras, state->extras, (size_t)state->extra_count * sizeof *o->extras);
    o->state.extras = o->extras;
    dt_extra *exponents = exponents_of(o->extras, state->extra_count);
    if (!exponents) return dt_ok();
    exponents->count = 2 * ((int64_t)o->table.count + 1);
    exponents->data = o->exponents = dt_alloc((size_t)exponents->count, sizeof *o->exponents);
    return o->exponents ? dt_ok() : dt_fail_memory("the checkpoint's exponents", (size_t)exponents->count * 4);
}

static void older_close(older *o) {
    for (int i = 1; i < o->state.section_count; i++) dt_free(o->sections[i].data);
    for (int i = 0; i < DT_MAX_SLOTS; i++) dt_table_finish(&o->slots[i]);
    dt_table_finish(&o->table);
    dt_free(o->extras);
    dt_free(o->exponents);
}

/* ---- what is taken of it ------------------------------------------------------------------------------------------
 */

static int find_tensor(const dt_table *table, const char *name) {
    for (int i = 0; i < table->count; i++)
        if (strcmp(table->tensors[i].name, name) == 0) return i;
    return -1;
}

static void take_moments(const older *o, dt_optimizer *optimizer) {
    for (int s = 0; s < optimizer->slot_count; s++) {
        dt_slot *slot = &optimizer->slots[s];
        memset(slot->data, 0, slot->table->total * sizeof *slot->data);
        for (int i = 0; i < slot->table->count; i++) {
            const dt_tensor *to = &slot->table->tensors[i];
            int from = find_tensor(&o->slots[s], to->name);
            if (from >= 0)
                memcpy(slot->data + to->offset, o->sections[1 + s].data + o->slots[s].tensors[from].offset,
                       to->count * sizeof *slot->data);
        }
    }
}

static void take_exponents(const older *o, dt_trainee *trainee) {
    int32_t *exponents;
    int64_t words;
    const dt_table *table = &trainee->optimizer.table;
    dt_reduce_forget(trainee->reducer);
    dt_reduce_state(trainee->reducer, &exponents, &words);
    if (!o->exponents) return;
    for (int i = 0; i <= table->count; i++) {
        int from = i < table->count ? find_tensor(&o->table, table->tensors[i].name) : o->table.count;
        if (from >= 0) memcpy(exponents + 2 * i, o->exponents + 2 * from, 2 * sizeof *exponents);
    }
}

static void count(const dt_table *these, const dt_table *in, int *missing, char first[96]) {
    for (int i = 0; i < these->count; i++) {
        if (find_tensor(in, these->tensors[i].name) >= 0) continue;
        if ((*missing)++ == 0) snprintf(first, 96, "%s", these->tensors[i].name);
    }
}

static dt_status take(older *o, dt_trainee *trainee, dt_state *state, const char *path, dt_frozen *found) {
    count(&trainee->optimizer.table, &o->table, &found->begun, found->first[0]);
    count(&o->table, &trainee->optimizer.table, &found->dropped, found->first[1]);
    if (found->begun + found->dropped == 0) return dt_checkpoint_load(path, state, false);
    DT_TRY(dt_checkpoint_load(path, &o->state, false));
    state->position = o->state.position;
    state->shards = o->state.shards;
    state->seed = o->state.seed;
    take_moments(o, &trainee->optimizer);
    take_exponents(o, trainee);
    return dt_ok();
}

/* A file has moments of all tensors, where it is of a time when frozen ones had some or nothing was frozen; or of those
 * that its recipe does not freeze. */
static dt_status take_either(dt_trainee *trainee, dt_state *state, const dt_yaml *froze, const char *path,
                             dt_frozen *found) {
    older all, some;
    dt_status status = older_open(&all, trainee, state, NULL);
    bool whole = status.code == DT_OK && (!froze || dt_checkpoint_fits(path, &all.state).code == DT_OK);
    if (whole) status = take(&all, trainee, state, path, found);
    older_close(&all);
    if (whole || status.code != DT_OK) return status;
    status = older_open(&some, trainee, state, froze);
    if (status.code == DT_OK) status = take(&some, trainee, state, path, found);
    older_close(&some);
    return status;
}

dt_status dt_frozen_load(dt_trainee *trainee, dt_state *state, const char *recipe, const char *path, dt_frozen *found) {
    dt_recipe theirs = {0};
    memset(found, 0, sizeof *found);
    dt_status status = dt_recipe_read_resolved(&theirs, path, recipe);
    if (status.code == DT_OK)
        status = theirs.freeze || trainee->table->trained < trainee->table->total
                     ? take_either(trainee, state, theirs.freeze, path, found)
                     : dt_checkpoint_load(path, state, false);
    dt_recipe_finish(&theirs);
    return status;
}

static void tell(const char *path, const char *of, const char *first, int tensors, const char *what) {
    char more[48] = "";
    if (tensors > 1) snprintf(more, sizeof more, " and %d other%s", tensors - 1, tensors > 2 ? "s" : "");
    dt_log_info("%s: %s%s %s %s", path, first, more, of, what);
}

void dt_frozen_tell(const dt_frozen *found, const char *path) {
    if (found->begun > 0)
        tell(path, found->begun > 1 ? "were" : "was", found->first[0], found->begun,
             "frozen there (model.freeze); the optimizer begins anew with them, its moments are zero");
    if (found->dropped > 0)
        tell(path, found->dropped > 1 ? "are" : "is", found->first[1], found->dropped,
             "frozen now (model.freeze); moments it has of them are left out");
}
