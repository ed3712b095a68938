/* The gradient as numbers: from a shard's floats to words of the wire and back.
 *
 * Each rank writes its message, some words and behind them the gradient of its shards (messages.h); allreduce.c makes
 * the sums of all of them. Sums over a node are made block by block where they are used, so they are in the cache when
 * the update reads them. Going back through the layers, a gradient is complete from its end on; what is complete is
 * turned into the message at once, while it is in the cache.
 *
 * Floating-point sums depend on their order, hence on the number of ranks; integer sums do not. So on the integer wires
 * a shard's gradient g is sent as q = round(g 2^k), with one exponent k per tensor that is known before the step, and
 * Σq 2^-k comes out; exponents.h says which k, and when a step is redone with another.
 *
 * On the f32 wire the first shard of a step is computed right into the sum, and only further shards of the same rank
 * are added.
 *
 * So nobody needs a shard's floats once they are in the message. Where a shard is computed in one go its layers write
 * them one after the other to the same place, as large as the largest layer (dt_parts); where pieces of a shard are
 * added up in floats, the whole is kept. */
#include "comm/reduce.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "allreduce.h"
#include "base/memory.h"
#include "comm_internal.h"
#include "exponents.h"
#include "reduce_internal.h"

struct dt_reducer {
    dt_messages messages; /* f32 words for one or two shards; [buckets + flags] in front */
    dt_allreduce *allreduce;
    const dt_kernels *kernels;
    const dt_table *table;
    int64_t shards;
    bool checked;   /* by others, now and then */
    char *own;      /* this rank's message; or `aside`, while another's gradient is computed again */
    char *aside;    /* as large as a message; NULL: nothing is computed again */
    dt_real *shard; /* [shard_elements]: gradient of a shard, or the kept tensor's and a part of it. On the f32 wire:
                     * only for further shards */
    dt_parts parts;
    size_t kept_room;       /* elements of the kept tensor, with its padding */
    const void *head;       /* the buckets and flags that count: this rank's, and after dt_reduce_finish the sums */
    char *words;            /* [threads, DT_TABLE_BLOCK]: sums over the node; NULL in a node of one */
    dt_real *block;         /* [threads, DT_TABLE_BLOCK]: decoded; NULL on the f32 wire */
    bool *kept;             /* [blocks of the arena]: whose words in this rank's message are the node's sums */
    size_t buckets;         /* elements of the message that are buckets: tensors * DT_ROOM_BUCKETS, 0 on the f32 wire */
    int32_t *taken;         /* [tensors]: the exponents the present sums were made with */
    int *rooms;             /* [tensors]: of the present step; NULL on the f32 wire */
    dt_exponent *exponents; /* [tensors], then the step of the window; NULL on the f32 wire */
    int64_t state_words;
    double most; /* no element of one shard may be as large */
    int coarse;  /* more room than this is redone */
    int first_exponent;
    bool fixed; /* every exponent is the first */
    void (*disturb)(void *context, int32_t *words, size_t begin, size_t count);
    void *disturb_context;
    int32_t *disturbed; /* [threads, DT_TABLE_BLOCK] */
    int added;
    int pending;    /* tensors of the present shard that have not been added */
    int not_finite; /* tensor index + 1 */
    struct {        /* of this rank's own gradient, while another's is computed aside */
        int added, not_finite;
        const void *head;
    } put_by;
};

/* Words are not the gradient's floats: they are made by exponents from a shard's gradient, and read by them. */
static bool has_exponents(const dt_reducer *r) {
    return r->messages.wire->limit > 0;
}

static bool alone_on_node(const dt_reducer *r) {
    return dt_node_size(r->messages.node) == 1;
}

static size_t room_of(const dt_table *table, const dt_parts *parts) {
    if (parts->kept < 0) return 0;
    const dt_tensor *kept = &table->tensors[parts->kept];
    return (parts->kept + 1 < table->count ? kept[1].offset : table->total) - kept->offset;
}

static size_t shard_elements(const dt_reducer *r) {
    return r->parts.most > 0 ? r->kept_room + r->parts.most : r->table->total;
}

static size_t blocks_of(const dt_reducer *r) {
    return (r->table->total + DT_TABLE_BLOCK - 1) / DT_TABLE_BLOCK;
}

static void *own_words(const dt_reducer *r, size_t at) {
    return r->own + (r->messages.head + at) * r->messages.wire->word;
}

static bool is_aside(const dt_reducer *r) {
    return r->aside && r->own == r->aside;
}

static dt_status alloc_own(dt_reducer *r, int64_t shards_per_rank, bool stateful) {
    size_t word = r->messages.wire->word, block = (size_t)dt_threads() * DT_TABLE_BLOCK;
    bool complete = (r->kept = dt_alloc(blocks_of(r), sizeof *r->kept)) != NULL;
    if (stateful) {
        r->state_words = 2 * ((int64_t)r->table->count + 1);
        r->exponents = dt_alloc((size_t)r->table->count + 1, sizeof *r->exponents);
        complete &= r->exponents != NULL;
    }
    if (has_exponents(r) || shards_per_rank > 1)
        complete &= (r->shard = dt_alloc(shard_elements(r), sizeof *r->shard)) != 0;
    if (has_exponents(r)) complete &= (r->taken = dt_alloc((size_t)r->table->count, sizeof *r->taken)) != 0;
    if (has_exponents(r)) complete &= (r->rooms = dt_alloc((size_t)r->table->count, sizeof *r->rooms)) != 0;
    if (has_exponents(r)) complete &= (r->block = dt_alloc(block, sizeof *r->block)) != 0;
    if (r->fixed) complete &= (r->disturbed = dt_alloc(block, sizeof *r->disturbed)) != 0;
    if (!alone_on_node(r)) complete &= (r->words = dt_alloc(block, word)) != 0;
    if (r->checked) complete &= (r->aside = dt_alloc(r->messages.head + r->table->total, word)) != 0;
    return complete ? dt_ok() : dt_fail_memory("the gradient", shard_elements(r) * sizeof *r->shard);
}

static dt_status alloc_shared(dt_reducer *r) {
    DT_TRY(dt_messages_alloc(&r->messages));
    r->head = r->own = dt_messages_own(&r->messages);
    return dt_allreduce_create(&r->allreduce, &r->messages);
}

/* Two shards need no exponents: their sum is the same in either order. */
static const dt_wire_kind *wire_used(const dt_work *work) {
    return work->shards <= 2 && !work->fixed ? &dt_wire_f32 : dt_wire_of(work->wire);
}

dt_status dt_reduce_create(dt_reducer **out, dt_node *node, const dt_kernels *kernels, const dt_table *table,
                           const dt_work *work) {
    *out = NULL;
    dt_reducer *r = dt_alloc(1, sizeof *r);
    DT_TRY(dt_comm_agree(dt_node_comm(node), r ? dt_ok() : dt_fail_memory("the reducer", sizeof *r)));
    const int64_t shards = work->shards;
    const dt_wire_kind *asked = dt_wire_of(work->wire), *used = wire_used(work);
    bool stateful = asked->limit > 0; /* has exponents even while it needs none, lest more shards come later */
    *r = (dt_reducer){
        .kernels = kernels, .table = table, .shards = shards, .parts = work->parts, .checked = work->checked};
    r->fixed = work->fixed;
    r->kept_room = work->parts.most > 0 ? room_of(table, &work->parts) : 0;
    r->messages = (dt_messages){.node = node, .kernels = kernels, .wire = used, .total = table->total};
    r->buckets = has_exponents(r) ? (size_t)table->count * DT_ROOM_BUCKETS : 0;
    r->coarse = has_exponents(r) ? dt_exponent_coarse(used->limit, shards) : 0;
    r->most = has_exponents(r) ? INFINITY : (double)FLT_MAX / (double)shards;
    r->messages.head = r->buckets + DT_FLAG_COUNT;
    dt_messages_choose_slice(&r->messages);
    dt_status status = dt_comm_agree(dt_node_comm(node), alloc_own(r, work->shards_per_rank, stateful));
    if (status.code == DT_OK) status = alloc_shared(r);
    if (status.code != DT_OK) {
        dt_reduce_destroy(r);
        return status;
    }
    r->first_exponent = work->fixed ? work->exponent : asked->first_exponent;
    dt_reduce_forget(r);
    *out = r;
    return dt_ok();
}

void dt_reduce_destroy(dt_reducer *r) {
    if (!r) return;
    dt_free(r->shard);
    dt_free(r->aside);
    dt_free(r->exponents);
    dt_free(r->rooms);
    dt_free(r->taken);
    dt_free(r->block);
    dt_free(r->disturbed);
    dt_free(r->words);
    dt_free(r->kept);
    dt_allreduce_destroy(r->allreduce);
    dt_free(r);
}

void dt_reduce_state(dt_reducer *r, int32_t **exponents, int64_t *count) {
    *exponents = r->exponents ? &r->exponents[0].k : NULL;
    *count = r->exponents ? r->state_words : 0;
}

void dt_reduce_forget(dt_reducer *r) {
    if (r->exponents) dt_exponents_begin(r->exponents, r->table->count, r->first_exponent);
}

/* A word of this rank's head: a bucket or a flag. */
static void put_word(dt_reducer *r, size_t at, int value) {
    r->messages.wire->put(r->own, at, value);
}

static int get_word(const dt_reducer *r, size_t at) {
    int value;
    r->messages.wire->read(&value, r->head, at, 1);
    return value;
}

void dt_reduce_raise(dt_reducer *r, dt_flag flag) {
    put_word(r, r->buckets + (size_t)flag, 1);
}

int dt_reduce_raised(const dt_reducer *r, dt_flag flag) {
    return get_word(r, r->buckets + (size_t)flag);
}

static void begin_message(dt_reducer *r) {
    r->added = 0;
    r->not_finite = 0;
    memset(r->own, 0, r->messages.head * r->messages.wire->word);
    r->head = r->own;
}

void dt_reduce_begin(dt_reducer *r) {
    r->own = dt_messages_own(&r->messages);
    begin_message(r);
    memset(r->kept, 0, blocks_of(r) * sizeof *r->kept);
    dt_allreduce_begin(r->allreduce);
}

static dt_real *gradient_of_shard(const dt_reducer *r) {
    return has_exponents(r) || r->added > 0 ? r->shard : own_words(r, 0);
}

bool dt_reduce_in_parts(const dt_reducer *r, dt_real **kept) {
    *kept = r->parts.kept >= 0 ? r->shard : NULL;
    return r->parts.most > 0 && gradient_of_shard(r) == r->shard;
}

dt_real *dt_reduce_next(dt_reducer *r) {
    dt_real *kept;
    r->pending = r->table->count;
    return gradient_of_shard(r) + (dt_reduce_in_parts(r, &kept) ? r->kept_room : 0);
}

/* The gradient of a tensor in the part, or the whole, that begins at `begin`. */
static const dt_real *gradient_of(const dt_reducer *r, const dt_tensor *t, size_t begin) {
    dt_real *kept;
    if (!dt_reduce_in_parts(r, &kept)) return gradient_of_shard(r) + t->offset;
    bool begins_kept = kept && r->table->tensors[r->parts.kept].offset == begin;
    return r->shard + (begins_kept ? 0 : r->kept_room) + (t->offset - begin);
}

static void find_not_finite(dt_reducer *r, int tensor) {
    dt_reduce_raise(r, DT_FLAG_NOT_FINITE);
    if (!r->not_finite || tensor < r->not_finite) r->not_finite = tensor + 1;
}

bool dt_reduce_wants_bounds(const dt_reducer *r) {
    return !has_exponents(r) && r->added == 0;
}

/* The shard is judged, not the sum, whose bits may be infinite on one number of ranks alone: none of the shards may
 * have more than its share of what a float holds. */
static void add_tensor(dt_reducer *r, int tensor, size_t begin, double most) {
    if (dt_reduce_wants_bounds(r) && most < r->most) return; /* it is in the message, and small enough */
    const dt_tensor *t = &r->table->tensors[tensor];
    int k = !has_exponents(r) ? 0 : is_aside(r) ? r->taken[tensor] : r->exponents[tensor].k;
    double largest = r->messages.wire->encode(r->kernels, own_words(r, t->offset), gradient_of(r, t, begin),
                                              (int64_t)t->count, k, r->added == 0);
    if (!(largest < r->most)) {
        find_not_finite(r, tensor);
    } else if (has_exponents(r) && largest > 0) {
        int bucket = dt_exponent_bucket(r->messages.wire->limit, largest, k);
        size_t word = (size_t)tensor * DT_ROOM_BUCKETS + (size_t)bucket;
        put_word(r, word, get_word(r, word) + 1);
    }
}

/* Turns what is complete of the present shard into the message. */
static void add_from(dt_reducer *r, size_t begin, double most) {
    while (r->pending > 0 && r->table->tensors[r->pending - 1].offset >= begin) {
        r->pending--;
        add_tensor(r, r->pending, begin, most);
    }
}

void dt_reduce_ready(dt_reducer *r, size_t begin, double most, bool last) {
    add_from(r, begin, most);
    if (last && !is_aside(r)) dt_allreduce_ready(r->allreduce, begin);
}

void dt_reduce_add(dt_reducer *r) {
    add_from(r, 0, INFINITY);
    r->added++;
}

/* Of every tensor, from the summed head. */
static void read_rooms(dt_reducer *r) {
    for (int i = 0; i < r->table->count; i++) {
        int shards[DT_ROOM_BUCKETS];
        r->messages.wire->read(shards, r->head, (size_t)i * DT_ROOM_BUCKETS, DT_ROOM_BUCKETS);
        r->rooms[i] = dt_exponent_room(shards);
    }
}

/* A rank without a shard sends zeros. */
static void end_message(dt_reducer *r) {
    if (r->added == 0) memset(own_words(r, 0), 0, r->table->total * r->messages.wire->word);
    if (has_exponents(r) || r->shards != 2 || r->added != 1 || dt_comm_size(dt_node_comm(r->messages.node)) != 1)
        return;
    /* the other shard is empty: add its zeros, as another rank would, or a -0 would stay one here only */
    const size_t zeros = shard_elements(r), total = r->table->total;
    memset(r->shard, 0, zeros * sizeof *r->shard);
    for (size_t at = 0; at < total; at += zeros)
        r->kernels->add(own_words(r, at), r->shard, (int64_t)(total - at < zeros ? total - at : zeros));
}

dt_status dt_reduce_finish(dt_reducer *r, bool *redo) {
    *redo = false;
    end_message(r);
    DT_TRY(dt_allreduce_finish(r->allreduce, &r->head));
    if (!has_exponents(r) || dt_reduce_raised(r, DT_FLAG_NOT_FINITE) > 0) return dt_ok();
    for (int i = 0; i < r->table->count; i++) r->taken[i] = r->exponents[i].k;
    if (r->fixed) return dt_ok();
    read_rooms(r);
    *redo = dt_exponents_repair(r->exponents, r->rooms, r->table->count, r->coarse);
    if (*redo)
        dt_reduce_done(r);
    else
        dt_exponents_adapt(r->exponents, r->rooms, r->table->count);
    return dt_ok();
}

/* ---- aside ---- */

void dt_reduce_begin_aside(dt_reducer *r) {
    r->put_by.added = r->added;
    r->put_by.not_finite = r->not_finite;
    r->put_by.head = r->head;
    r->own = r->aside;
    begin_message(r);
}

void dt_reduce_end_aside(dt_reducer *r) {
    end_message(r);
    r->own = dt_messages_own(&r->messages);
    r->added = r->put_by.added;
    r->not_finite = r->put_by.not_finite;
    r->head = r->put_by.head;
}

const dt_messages *dt_reduce_messages(const dt_reducer *r) {
    return &r->messages;
}

const dt_table *dt_reduce_table(const dt_reducer *r) {
    return r->table;
}

const void *dt_reduce_aside(const dt_reducer *r, size_t at) {
    return r->aside + (r->messages.head + at) * r->messages.wire->word;
}

int dt_reduce_exponent(const dt_reducer *r, int tensor) {
    return has_exponents(r) ? r->taken[tensor] : 0;
}

/* ---- sums ---- */

void dt_reduce_slice(const dt_reducer *r, size_t *begin, size_t *end) {
    *begin = r->messages.begin;
    *end = r->messages.end;
}

/* The gradient of elements [begin, end) from the words of their sums; 0 between tensors. */
static void decode(const dt_reducer *r, dt_real *block, const char *words, size_t begin, size_t end) {
    memset(block, 0, (end - begin) * sizeof *block);
    for (int i = dt_table_at(r->table, begin); i < r->table->count && r->table->tensors[i].offset < end; i++) {
        const dt_tensor *t = &r->table->tensors[i];
        size_t first = t->offset > begin ? t->offset : begin;
        size_t last = t->offset + t->count < end ? t->offset + t->count : end;
        if (first >= last) continue;
        r->messages.wire->decode(r->kernels, block + (first - begin), words + (first - begin) * r->messages.wire->word,
                                 (int64_t)(last - first), r->taken[i]);
    }
}

/* The sums over all nodes of a block of words. Those of a node that is the only one are made here, of all messages, and
 * kept where asked in this rank's own message: nobody else needs its words of this slice any more. */
static const char *sum_block(dt_reducer *r, size_t begin, size_t end, bool keep) {
    bool *kept = &r->kept[begin / DT_TABLE_BLOCK];
    if (dt_node_count(r->messages.node) > 1) return dt_allreduce_sums(r->allreduce, begin);
    if (alone_on_node(r) || *kept) return own_words(r, begin);
    char *sum = r->words + (size_t)dt_thread() * DT_TABLE_BLOCK * r->messages.wire->word;
    dt_messages_sum_gradients(&r->messages, sum, begin, end - begin);
    if (keep) memcpy(own_words(r, begin), sum, (end - begin) * r->messages.wire->word);
    *kept = keep;
    return sum;
}

void dt_reduce_disturb(dt_reducer *r, void (*add)(void *context, int32_t *words, size_t begin, size_t count),
                       void *context) {
    r->disturb = add;
    r->disturb_context = context;
}

/* A copy of the sums' words, with what is added to them. */
static const int32_t *disturb(dt_reducer *r, const void *words, size_t begin, size_t end) {
    int32_t *out = r->disturbed + (size_t)dt_thread() * DT_TABLE_BLOCK;
    memcpy(out, words, (end - begin) * sizeof *out);
    r->disturb(r->disturb_context, out, begin, end - begin);
    return out;
}

static const dt_real *take(dt_reducer *r, size_t begin, size_t end, bool keep) {
    const void *words = sum_block(r, begin, end, keep);
    if (!has_exponents(r)) return words;
    if (r->disturb) words = disturb(r, words, begin, end);
    dt_real *block = r->block + (size_t)dt_thread() * DT_TABLE_BLOCK;
    decode(r, block, words, begin, end);
    return block;
}

const dt_real *dt_reduce_take(dt_reducer *r, size_t begin, size_t end) {
    return take(r, begin, end, false);
}

const dt_real *dt_reduce_keep(dt_reducer *r, size_t begin, size_t end) {
    return take(r, begin, end, true);
}

void dt_reduce_done(dt_reducer *r) {
    dt_node_meet(r->messages.node);
}

void dt_reduce_traffic(const dt_reducer *r, size_t *shared, size_t *crossing) {
    const dt_messages *m = &r->messages;
    size_t bytes = (m->end - m->begin + m->head) * m->wire->word;
    *shared = bytes * (size_t)(dt_node_size(m->node) - 1);
    *crossing = dt_node_count(m->node) > 1 && m->end > m->begin ? bytes : 0;
}

void dt_reduce_memory(const dt_reducer *r, size_t *shared, size_t *own) {
    *shared = r->messages.stride * (size_t)dt_node_size(r->messages.node);
    *own = dt_allreduce_memory(r->allreduce);
    if (r->shard) *own += shard_elements(r) * sizeof *r->shard;
    if (r->aside) *own += r->table->total * r->messages.wire->word;
}

size_t dt_reduce_planned(const dt_table *table, const dt_work *work) {
    const dt_wire_kind *wire = wire_used(work);
    size_t bytes = table->total * wire->word * (work->checked ? 2 : 1);
    if (wire->limit == 0 && work->shards_per_rank <= 1) return bytes;
    size_t floats = work->parts.most > 0 ? room_of(table, &work->parts) + work->parts.most : table->total;
    return bytes + floats * sizeof(dt_real);
}

const char *dt_reduce_not_finite(const dt_reducer *r) {
    return r->not_finite ? r->table->tensors[r->not_finite - 1].name : NULL;
}
