/* Checkpoints: what they hold, how one is published so that the newest committed one always loads, how one is found
 * again.
 *
 * Format version 2. Root attributes: format ("dtrain checkpoint"), version, step, epoch, sample, origin, shards, seed,
 * digest, created, program. Texts as datasets of bytes: /recipe, /state/data, /state/isa (an attribute ends at 64 kB).
 * Float32 datasets /weights/<tensor>, /optimizer/<slot>/<tensor>, other state under
 * /state/<name>; each has an attribute `hash` (XXH3-64 of its bytes, 16 hex digits).
 *
 * Version 1, which is still read, has no datasets beside those of the digest: what a file lacks of them is told to
 * whoever loads it. With them came the root attributes `beside`, their number, and `seal`: the digest, gone on with
 * over them. Its recipe is an attribute, with its hash as recipe_hash; it has no origin (0), and does not say what its
 * data and instruction set were. */
#ifndef DTRAIN_CHECKPOINT_H
#define DTRAIN_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/table.h"

#define DT_CHECKPOINT_VERSION 2

/* Texts, as datasets of bytes. */
#define DT_CHECKPOINT_RECIPE "/recipe"
#define DT_CHECKPOINT_DATA "/state/data"
#define DT_CHECKPOINT_ISA "/state/isa"

/* One arena in the checkpoint: its tensors become datasets group/<tensor name>. */
typedef struct dt_section {
    const char *group; /* "/weights", "/optimizer/m" */
    const dt_table *table;
    float *data; /* [table->total] */
} dt_section;

/* One small array that is trained state but no arena: the tally of the epoch in progress, for example. */
typedef struct dt_extra {
    const char *name; /* dataset /state/<name> */
    dt_dtype dtype;
    int64_t count;
    void *data;
} dt_extra;

/* What a run needs to go on, and its digest is not made of: so that what is added here changes no digest. */
typedef struct dt_beside {
    dt_extra array;
    bool found;  /* by dt_checkpoint_load: whether the file has it; else the array is as it was */
    bool shared; /* the ranks of a node have it in common */
} dt_beside;

typedef struct dt_position {
    int64_t step;   /* updates made */
    int64_t epoch;  /* epochs finished */
    int64_t sample; /* samples of the epoch in progress already used */
    int64_t
        origin; /* the step from which epochs, train.steps and the schedule count: 0, or where other data was taken */
} dt_position;

/* The trained state, as a view into memory the caller owns. */
typedef struct dt_state {
    dt_position position;
    int64_t shards;
    int64_t seed;
    const char *recipe; /* resolved, as YAML */
    const char *data;   /* what the data is (identity.h); NULL: not told */
    const char *isa;    /* instruction set of the arithmetic; NULL: not told */
    dt_section *sections;
    int section_count;
    dt_extra *extras;
    int extra_count;
    dt_beside *beside;
    int beside_count;
    dt_status (*may_commit)(void *context); /* asked right before a new file counts, on rank 0; NULL: it may */
    void *commit_context;
} dt_state;

/* The digest: XXH3-64 over position, shards, seed and, in order, every section's tensors (without padding) and every
 * extra. The recipe text is not part of it, nor what is beside. A function of the state alone. */
uint64_t dt_state_digest(const dt_state *state);
/* The same by several who have the same state in front of them: hashes[dt_state_datasets] of datasets, of which each
 * makes its share, as equal in bytes as whole datasets allow; and then the digest from all of them. */
int dt_state_datasets(const dt_state *state);
void dt_state_hash(const dt_state *state, int rank, int ranks, uint64_t *hashes);
uint64_t dt_state_digest_of(const dt_state *state, const uint64_t *hashes);
void dt_digest_text(uint64_t digest, char out[17]);

/* What the root attributes say; recipe is to dt_free. Checks format and version. */
typedef struct dt_checkpoint_head {
    dt_position position;
    int64_t version, beside; /* of the format; datasets beside the digest's */
    int64_t shards, seed;
    uint64_t digest;
    char *recipe, *data; /* data NULL: the file does not say, as older ones do not */
    char isa[16];        /* "": likewise */
    char created[32];
    char program[64];
} dt_checkpoint_head;
dt_status dt_checkpoint_head_read(const char *path, dt_checkpoint_head *head);
void dt_checkpoint_head_finish(dt_checkpoint_head *head);

/* Reads a checkpoint into state's memory (position, shards, seed and the arrays; state->recipe is left alone). Every
 * array of `state` but those beside must be there, each with its shape and hash, and the digest must match. Not
 * collective: rank 0 reads, then broadcasts. With `part` the file may hold more than `state` asks for, and the digest
 * is not recomputed. */
dt_status dt_checkpoint_load(const char *path, dt_state *state, bool part);

/* That every array of `state` is in the file with its shape and type; nothing is read, and state's memory not looked
 * at: for whoever takes memory by what a stranger's recipe says. Not collective. */
dt_status dt_checkpoint_fits(const char *path, const dt_state *state);

/* An array that is neither a weight nor a moment, and where it stands in the file's order. */
typedef struct dt_other {
    char name[96];
    bool digested; /* else it is beside the digest */
    int64_t order;
    dt_extra array;
} dt_other;
#define DT_MOST_OTHERS 256
typedef struct dt_others {
    int count;
    dt_other arrays[DT_MOST_OTHERS]; /* in the file's order */
} dt_others;
/* All lists under /state, but what carries a row of recurrent layers or is larger than 256 MiB: for who makes another
 * checkpoint of the same model. To dt_others_free. Not collective. */
dt_status dt_checkpoint_others(const char *path, dt_others **out);
void dt_others_free(dt_others *others); /* accepts NULL */

/* Reads everything in the file and compares every hash and the digest, without knowing the model: the datasets are
 * taken in the order the file's `order` attributes give. Done by a child process, for HDF5 may crash on a damaged
 * file; verify before any other reading of a file that may be. *digest may be NULL. */
dt_status dt_checkpoint_verify(const char *path, uint64_t *digest);

/* The checkpoints of a directory, newest first (by step). Leftovers (*.tmp) are not listed. *paths is an array of
 * *count texts of 4096 bytes in one block, to dt_free. A missing directory has none. */
dt_status dt_checkpoint_list(const char *directory, char (**paths)[4096], int *count);

/* The newest checkpoint of a directory that verifies, into path[4096]; "" when there is none at all. Damaged ones are
 * warned of and passed over; one that cannot be read for another reason is DT_ERR_IO or DT_ERR_MEMORY, and nothing but
 * damage is DT_ERR_CORRUPT. The directory may be a live run's. */
dt_status dt_checkpoint_newest(const char *directory, char path[4096]);
/* Whether the file is no longer there, as when a live run removed it. */
bool dt_checkpoint_vanished(const char *path);

/* Whether a path is named like a checkpoint that is being written. */
bool dt_checkpoint_is_unfinished(const char *path);

/* Removes every leftover step-*.h5.tmp, and all checkpoints but the newest `keep` (0: keeps all), those of steps above
 * 0 that are multiples of `keep_every` (0: none) and that of `keep_step` (-1: none). Rank 0 only. */
dt_status dt_checkpoint_prune(const char *directory, int64_t keep, int64_t keep_every, int64_t keep_step);

#endif
