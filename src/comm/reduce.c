/* The gradient's way across.
 *
 * Each rank writes its message, some words and behind them the gradient of its shards, where its team sees it. When all
 * have, each owner of a slice adds that slice up over the team and, with other teams, over the owners of the same slice
 * by MPI_Allreduce; the words in front are added up by everyone. A team of one that owns everything is the plain
 * MPI_Allreduce over everything. Sums are made block by block where they are used, so they are in the cache when the
 * update reads them.
 *
 * Going back through the layers, a gradient is complete from its end on. What is complete is turned into the message at
 * once, while it is in the cache, and crosses to other teams in chunks, the last chunk first, while the layers before
 * are still at work (crossing.c). The first chunk goes with the words in front, when all is done.
 *
 * Floating-point sums depend on their order, hence on the number of ranks; integer sums do not. So on the integer wires
 * a shard's gradient g is sent as q = round(g 2^k), with one exponent k per tensor, and Σq 2^-k comes out.
 *
 * k must be known before the step ("delayed scaling", as in FP8 training: Micikevicius et al. 2022, section 3). Beside
 * the gradient every shard sends, per tensor, a 1 in one of 64 buckets: how many powers of two its largest |q| stays
 * below the type's limit. The summed buckets bound Σ|q| over all shards, on every rank and in any order; the powers of
 * two between that bound and the limit are the room of the step:
 *   - negative: the sum may have wrapped. All ranks lower k so that HEADROOM bits are free, and redo the step;
 *   - above `coarse`: rounding may cost more than 2^-20 of the largest element. All ranks raise k, and redo the step;
 *   - below LOW or above HIGH: k is set right at once, for the next step;
 *   - above HEADROOM in every one of WINDOW steps: k is raised to what leaves HEADROOM.
 * The first step of a run is thus redone once or twice, until the exponents have found their place. Bounding the sum of
 * what the shards have, instead of S times the largest, is worth log2(S) bits where one shard dominates. What the
 * choice costs in accuracy is measured in tests/mpi/test_reduce.c. With more than 64 shards 32 bits get tight: choose
 * i64.
 *
 * On the f32 wire the first shard of a step is computed right into the sum, and only further shards of the same rank
 * are added. */
#include "dtrain/reduce.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "crossing.h"
#include "dtrain/memory.h"

#define BUCKETS 64 /* room from -32 to 31 bits */
#define BUCKET_ZERO 32
#define HEADROOM 2
#define LOW 1
#define HIGH 4
#define WINDOW 16
#define KEEP 22 /* bits a shard's gradient must keep */
#define FIRST_EXPONENT 24
#define MOST_EXPONENT 100 /* 2^k and 2^-k stay normal in float32 */

/* Of one tensor; two int32 in the trained state. */
typedef struct scale {
    int32_t exponent; /* k */
    int32_t room;     /* the scarcest room since the window began */
} scale;

struct dt_reducer {
    dt_team *team;
    const dt_kernels *kernels;
    const dt_table *table;
    dt_wire wire; /* in use: f32 for one or two shards */
    int64_t shards;
    dt_real *shard; /* [total]: gradient of a shard; at the end, of all. On the f32 wire: only for further shards */
    void *message;  /* float, int32 or int64 [buckets + flags + total], in memory of the team */
    char *messages; /* of all ranks of the team, `stride` bytes apart */
    size_t stride;
    dt_crossing *crossing; /* of the slice to other teams; NULL where there are none, or no slice */
    void *head;            /* the buckets and flags that count: this rank's, and after dt_reduce_finish the sums */
    void *head_sum;        /* [buckets + flags]; NULL for a rank alone */
    void *shared_head;     /* the same, in memory of a team that has ranks without a slice */
    char *words;           /* [threads, DT_REDUCE_BLOCK]: sums over the team; NULL in a team of one */
    dt_real *block;        /* [threads, DT_REDUCE_BLOCK]: dequantised; NULL on the f32 wire */
    size_t begin, end;     /* the slice */
    size_t buckets;        /* elements of the message that are buckets: tensors * BUCKETS, 0 on the f32 wire */
    int32_t *taken;        /* [tensors]: the exponents the present sums were made with */
    scale *scales;         /* [tensors], then the step of the window; NULL on the f32 wire */
    int64_t state_words;
    double limit; /* of Σ|q|; on the f32 wire, of a tensor's norm in one shard */
    int coarse;   /* more room than this is redone */
    int added;
    int pending;    /* tensors of the present shard that have not been added */
    int not_finite; /* tensor index + 1 */
};

static bool is_integer(const dt_reducer *r) {
    return r->wire != DT_WIRE_F32;
}

static size_t word_size(const dt_reducer *r) {
    return r->wire == DT_WIRE_I64 ? sizeof(int64_t) : sizeof(int32_t);
}

static size_t head_words(const dt_reducer *r) {
    return r->buckets + DT_FLAG_COUNT;
}

/* The gradient in rank `rank`'s message, from element `at` on. */
static void *words_of(const dt_reducer *r, int rank, size_t at) {
    return r->messages + (size_t)rank * r->stride + (head_words(r) + at) * word_size(r);
}

static void *own_words(const dt_reducer *r, size_t at) {
    return (char *)r->message + (head_words(r) + at) * word_size(r);
}

/* Owners get whole blocks, as equal as can be. */
static void choose_slice(dt_reducer *r) {
    size_t blocks = (r->table->total + DT_REDUCE_BLOCK - 1) / DT_REDUCE_BLOCK;
    size_t owners = (size_t)dt_team_owners(r->team), own = (size_t)dt_team_rank(r->team);
    if (own >= owners) return;
    r->begin = blocks * own / owners * DT_REDUCE_BLOCK;
    r->end = own + 1 == owners ? r->table->total : blocks * (own + 1) / owners * DT_REDUCE_BLOCK;
}

static dt_status alloc_own(dt_reducer *r, int64_t shards_per_rank, bool stateful) {
    size_t word = word_size(r);
    bool alone = dt_team_size(r->team) == 1, complete = true;
    if (stateful) {
        r->state_words = 2 * ((int64_t)r->table->count + 1);
        r->scales = dt_alloc((size_t)r->table->count + 1, sizeof *r->scales);
        complete = r->scales != NULL;
    }
    if (is_integer(r) || shards_per_rank > 1) complete &= (r->shard = dt_alloc(r->table->total, sizeof *r->shard)) != 0;
    if (is_integer(r)) complete &= (r->taken = dt_alloc((size_t)r->table->count, sizeof *r->taken)) != 0;
    size_t block = (size_t)dt_threads() * DT_REDUCE_BLOCK;
    if (is_integer(r)) complete &= (r->block = dt_alloc(block, sizeof *r->block)) != 0;
    if (!alone) complete &= (r->words = dt_alloc(block, word)) != 0;
    if (!alone) complete &= (r->head_sum = dt_alloc(head_words(r), word)) != 0;
    return complete ? dt_ok() : dt_fail_memory("the gradient", r->table->total * (word + sizeof *r->shard));
}

static dt_status alloc_shared(dt_reducer *r) {
    const size_t page = 4096;
    r->stride = ((head_words(r) + r->table->total) * word_size(r) + page - 1) / page * page;
    dt_status status;
    r->messages = dt_team_alloc(r->team, (size_t)dt_team_size(r->team), r->stride, &status);
    DT_TRY(status);
    r->message = r->messages + (size_t)dt_team_rank(r->team) * r->stride;
    r->head = r->message;
    DT_TRY(dt_crossing_create(&r->crossing, r->team, r->wire, r->message, head_words(r), r->table->total, r->begin,
                              r->end));
    bool some_own_nothing = dt_comm_any(dt_team_comm(r->team), dt_team_count(r->team) > 1 && r->end == r->begin);
    if (some_own_nothing) r->shared_head = dt_team_alloc(r->team, head_words(r), word_size(r), &status);
    return status;
}

dt_status dt_reduce_create(dt_reducer **out, dt_team *team, const dt_kernels *kernels, const dt_table *table,
                           int64_t shards, int64_t shards_per_rank, dt_wire wire) {
    *out = NULL;
    dt_reducer *r = dt_alloc(1, sizeof *r);
    DT_TRY(dt_comm_agree(dt_team_comm(team), r ? dt_ok() : dt_fail_memory("the reducer", sizeof *r)));
    bool stateful = wire != DT_WIRE_F32; /* has exponents even while it needs none, lest more shards come later */
    *r = (dt_reducer){.team = team, .kernels = kernels, .table = table, .wire = wire, .shards = shards};
    if (shards <= 2) r->wire = DT_WIRE_F32;
    r->limit = wire == DT_WIRE_I64 ? 0x1p62 : 0x1p31 - 1;
    int spare = ilogb(r->limit / (double)shards) - KEEP;
    r->coarse = spare > HIGH ? spare : HIGH;
    if (is_integer(r))
        r->buckets = (size_t)table->count * BUCKETS;
    else
        r->limit = (double)FLT_MAX / (double)shards;
    choose_slice(r);
    dt_status status = dt_comm_agree(dt_team_comm(team), alloc_own(r, shards_per_rank, stateful));
    if (status.code == DT_OK) status = alloc_shared(r);
    if (status.code != DT_OK) {
        dt_reduce_destroy(r);
        return status;
    }
    for (int i = 0; stateful && i < table->count; i++)
        r->scales[i] = (scale){wire == DT_WIRE_I64 ? FIRST_EXPONENT + 31 : FIRST_EXPONENT, BUCKETS};
    *out = r;
    return dt_ok();
}

void dt_reduce_destroy(dt_reducer *r) {
    if (!r) return;
    dt_free(r->shard);
    dt_free(r->scales);
    dt_free(r->taken);
    dt_free(r->block);
    dt_free(r->words);
    dt_free(r->head_sum);
    dt_crossing_destroy(r->crossing);
    dt_free(r);
}

void dt_reduce_state(dt_reducer *r, int32_t **exponents, int64_t *count) {
    *exponents = r->scales ? &r->scales[0].exponent : NULL;
    *count = r->scales ? r->state_words : 0;
}

/* A word of the head: a bucket or a flag. */
static void put_word(dt_reducer *r, size_t at, int value) {
    switch (r->wire) {
    case DT_WIRE_F32: ((float *)r->head)[at] = (float)value; break;
    case DT_WIRE_I32: ((int32_t *)r->head)[at] = value; break;
    case DT_WIRE_I64: ((int64_t *)r->head)[at] = value; break;
    }
}

static int get_word(const dt_reducer *r, size_t at) {
    switch (r->wire) {
    case DT_WIRE_F32: return (int)((const float *)r->head)[at];
    case DT_WIRE_I32: return ((const int32_t *)r->head)[at];
    case DT_WIRE_I64: return (int)((const int64_t *)r->head)[at];
    }
    return 0;
}

void dt_reduce_raise(dt_reducer *r, dt_flag flag) {
    put_word(r, r->buckets + (size_t)flag, 1);
}

int dt_reduce_raised(const dt_reducer *r, dt_flag flag) {
    return get_word(r, r->buckets + (size_t)flag);
}

void dt_reduce_begin(dt_reducer *r) {
    r->added = 0;
    r->not_finite = 0;
    r->head = r->message;
    memset(r->head, 0, head_words(r) * word_size(r));
    dt_crossing_begin(r->crossing);
}

static dt_real *gradient_of_shard(const dt_reducer *r) {
    return is_integer(r) || r->added > 0 ? r->shard : own_words(r, 0);
}

dt_real *dt_reduce_next(dt_reducer *r) {
    r->pending = r->table->count;
    return gradient_of_shard(r);
}

/* Powers of two between a shard's largest |q|, which is not 0, and the limit. */
static int room_of_shard(const dt_reducer *r, double largest, int exponent) {
    int most = BUCKETS - BUCKET_ZERO - 1;
    int room = ilogb(r->limit / ldexp(largest, exponent));
    return room > most ? most : room < -BUCKET_ZERO ? -BUCKET_ZERO : room;
}

static void find_not_finite(dt_reducer *r, int tensor) {
    dt_reduce_raise(r, DT_FLAG_NOT_FINITE);
    if (!r->not_finite || tensor < r->not_finite) r->not_finite = tensor + 1;
}

static void add_integers(dt_reducer *r, int tensor) {
    const dt_tensor *t = &r->table->tensors[tensor];
    bool fresh = r->added == 0;
    int exponent = r->scales[tensor].exponent;
    double factor = ldexp(1.0, exponent);
    const dt_real *g = r->shard + t->offset;
    void *words = own_words(r, t->offset);
    double largest = r->wire == DT_WIRE_I32
                         ? r->kernels->quantise_i32(words, g, (int64_t)t->count, (dt_real)factor, fresh)
                         : r->kernels->quantise_i64(words, g, (int64_t)t->count, factor, fresh);
    if (!isfinite(largest)) {
        find_not_finite(r, tensor);
    } else if (largest > 0) {
        size_t bucket = (size_t)tensor * BUCKETS + (size_t)(room_of_shard(r, largest, exponent) + BUCKET_ZERO);
        put_word(r, bucket, get_word(r, bucket) + 1);
    }
}

/* The shard is judged, not the sum, whose bits may be infinite on one number of ranks alone: none of the shards may
 * have more than its share of what a float holds. */
static void add_floats(dt_reducer *r, int tensor) {
    const dt_tensor *t = &r->table->tensors[tensor];
    const dt_real *g = gradient_of_shard(r) + t->offset;
    if (!(r->kernels->largest(g, (int64_t)t->count) < r->limit)) find_not_finite(r, tensor);
    if (r->added > 0) r->kernels->add(own_words(r, t->offset), g, (int64_t)t->count);
}

/* Turns what is complete of the present shard into the message. */
static void add_from(dt_reducer *r, size_t begin) {
    while (r->pending > 0 && r->table->tensors[r->pending - 1].offset >= begin) {
        r->pending--;
        if (is_integer(r))
            add_integers(r, r->pending);
        else
            add_floats(r, r->pending);
    }
}

void dt_reduce_ready(dt_reducer *r, size_t begin, bool last) {
    add_from(r, begin);
    if (last) dt_crossing_ready(r->crossing, r, begin);
}

void dt_reduce_add(dt_reducer *r) {
    add_from(r, 0);
    r->added++;
}

/* The room a tensor had in this step; BUCKETS when its gradient was zero on all shards. */
static int room_of_sum(const dt_reducer *r, int tensor) {
    double bound = 0; /* of Σ|q|, as a share of the limit */
    for (int b = 0; b < BUCKETS; b++)
        bound += ldexp(get_word(r, (size_t)tensor * BUCKETS + (size_t)b), BUCKET_ZERO - b);
    return bound > 0 ? ilogb(1 / bound) : BUCKETS;
}

static void move_exponent(scale *s, int by) {
    int moved = s->exponent + by;
    s->exponent = moved > MOST_EXPONENT ? MOST_EXPONENT : moved < -MOST_EXPONENT ? -MOST_EXPONENT : moved;
}

static void settle(scale *s, int room) {
    move_exponent(s, room - HEADROOM);
    s->room = BUCKETS;
}

/* Moves the exponents of tensors whose gradients did not fit or were rounded too coarsely; true when there were any. */
static bool repair_exponents(dt_reducer *r) {
    bool redo = false;
    for (int i = 0; i < r->table->count; i++) {
        int room = room_of_sum(r, i), before = r->scales[i].exponent;
        if (room >= 0 && (room <= r->coarse || room == BUCKETS)) continue;
        settle(&r->scales[i], room);
        redo = redo || r->scales[i].exponent != before;
    }
    return redo;
}

/* Adapts every exponent to the room it had. The last "scale" counts the window's steps. */
static void adapt_exponents(dt_reducer *r) {
    int32_t *window = &r->scales[r->table->count].exponent;
    bool closes = ++*window == WINDOW;
    if (closes) *window = 0;
    for (int i = 0; i < r->table->count; i++) {
        scale *s = &r->scales[i];
        int room = room_of_sum(r, i);
        if (room == BUCKETS) continue;
        if (room < LOW || room > HIGH)
            settle(s, room);
        else if (room < s->room)
            s->room = room;
        if (!closes) continue;
        if (s->room > HEADROOM && s->room < BUCKETS) settle(s, s->room);
        s->room = BUCKETS;
    }
}

/* Sums over the team of `words` words, which rank 0 has at `first`. */
static void sum_words(const dt_reducer *r, void *sum, const char *first, size_t words) {
    memcpy(sum, first, words * word_size(r));
    for (int i = 1; i < dt_team_size(r->team); i++) {
        const char *more = first + (size_t)i * r->stride;
        switch (r->wire) {
        case DT_WIRE_F32: r->kernels->add(sum, (const void *)more, (int64_t)words); break;
        case DT_WIRE_I32: r->kernels->add_i32(sum, (const void *)more, (int64_t)words); break;
        case DT_WIRE_I64: r->kernels->add_i64(sum, (const void *)more, (int64_t)words); break;
        }
    }
}

void dt_reduce_sum_team(const dt_reducer *r, void *sum, size_t begin, size_t words) {
    sum_words(r, sum, words_of(r, 0, begin), words);
}

/* Adds up, and sends to the other teams, what is summed before the update: with one team the head alone, with more the
 * slice too. */
static dt_status sum_messages(dt_reducer *r) {
    bool alone = dt_team_size(r->team) == 1;
    dt_team_meet(r->team);
    if (!alone) sum_words(r, r->head = r->head_sum, r->messages, head_words(r));
    if (r->crossing) DT_TRY(dt_crossing_finish(r->crossing, r, &r->head));
    if (!r->shared_head) return dt_ok();
    if (dt_team_rank(r->team) == dt_team_owners(r->team) - 1)
        memcpy(r->shared_head, r->head, head_words(r) * word_size(r));
    dt_team_meet(r->team);
    if (r->end == r->begin) memcpy(r->head, r->shared_head, head_words(r) * word_size(r));
    return dt_ok();
}

dt_status dt_reduce_finish(dt_reducer *r, bool *redo) {
    *redo = false;
    if (r->added == 0) memset(own_words(r, 0), 0, r->table->total * word_size(r));
    if (r->shards == 2 && r->added == 1 && dt_comm_size(dt_team_comm(r->team)) == 1) {
        /* the other shard is empty: add its zeros, as another rank would, or a -0 would stay one here only */
        memset(r->shard, 0, r->table->total * sizeof *r->shard);
        r->kernels->add(own_words(r, 0), r->shard, (int64_t)r->table->total);
    }
    DT_TRY(sum_messages(r));
    if (!is_integer(r) || dt_reduce_raised(r, DT_FLAG_NOT_FINITE) > 0) return dt_ok();
    for (int i = 0; i < r->table->count; i++) r->taken[i] = r->scales[i].exponent;
    *redo = repair_exponents(r);
    if (*redo)
        dt_reduce_done(r);
    else
        adapt_exponents(r);
    return dt_ok();
}

void dt_reduce_slice(const dt_reducer *r, size_t *begin, size_t *end) {
    *begin = r->begin;
    *end = r->end;
}

static void dequantise(const dt_reducer *r, dt_real *block, const void *words, size_t begin, size_t end) {
    memset(block, 0, (end - begin) * sizeof *block);
    for (int i = dt_table_at(r->table, begin); i < r->table->count && r->table->tensors[i].offset < end; i++) {
        const dt_tensor *t = &r->table->tensors[i];
        size_t first = t->offset > begin ? t->offset : begin;
        size_t last = t->offset + t->count < end ? t->offset + t->count : end;
        if (first >= last) continue;
        double factor = ldexp(1.0, -r->taken[i]);
        if (r->wire == DT_WIRE_I32)
            r->kernels->dequantise_i32(block + (first - begin), (const int32_t *)words + (first - begin),
                                       (int64_t)(last - first), (dt_real)factor);
        else
            r->kernels->dequantise_i64(block + (first - begin), (const int64_t *)words + (first - begin),
                                       (int64_t)(last - first), factor);
    }
}

const dt_real *dt_reduce_take(dt_reducer *r, size_t begin, size_t end) {
    size_t scratch = (size_t)dt_thread() * DT_REDUCE_BLOCK;
    const void *words;
    if (r->crossing)
        words = dt_crossing_sums(r->crossing, begin);
    else if (dt_team_size(r->team) == 1)
        words = own_words(r, begin);
    else
        dt_reduce_sum_team(r, (void *)(words = r->words + scratch * word_size(r)), begin, end - begin);
    if (!is_integer(r)) return words;
    dequantise(r, r->block + scratch, words, begin, end);
    return r->block + scratch;
}

void dt_reduce_done(dt_reducer *r) {
    dt_team_meet(r->team);
}

void dt_reduce_traffic(const dt_reducer *r, size_t *shared, size_t *crossing) {
    size_t words = r->end - r->begin + head_words(r);
    *shared = words * word_size(r) * (size_t)(dt_team_size(r->team) - 1);
    *crossing = dt_team_count(r->team) > 1 && r->end > r->begin ? words * word_size(r) : 0;
}

void dt_reduce_memory(const dt_reducer *r, size_t *shared, size_t *own) {
    *shared = r->stride * (size_t)dt_team_size(r->team);
    *own = dt_crossing_memory(r->crossing);
    if (r->shard) *own += r->table->total * sizeof *r->shard;
}

const char *dt_reduce_not_finite(const dt_reducer *r) {
    return r->not_finite ? r->table->tensors[r->not_finite - 1].name : NULL;
}
