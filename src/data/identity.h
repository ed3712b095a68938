/* What the data of a run is: count, shape, type and a fingerprint of every dataset it is trained and judged on. It is
 * kept in checkpoints, so that a run that goes on notices when its data is another's.
 *
 * A fingerprint is a hash of the values as they are in memory, whatever the file is called and however it stores them:
 * contiguous or in chunks, compressed, in either byte order. Of datasets up to 256 MiB it is of every byte. Larger ones
 * are looked at in 256 blocks of 64 KiB, the first and the last among them and the others at even distances: any change
 * that is longer than the distance of two blocks is seen, a shorter one may lie between them. */
#ifndef DTRAIN_IDENTITY_H
#define DTRAIN_IDENTITY_H

#include "base/ranks.h"
#include "data/source.h"

#define DT_IDENTITY_PARTS (8 + DT_MOST_INPUTS) /* inputs, targets and which rows, of training and test */
#define DT_IDENTITY_TEXT 4096                  /* bytes */

/* One dataset. */
typedef struct dt_identity_part {
    /* "train_x", "test_x", …, as fields of a recipe are called; "train_rows": which are samples; "input_image": the
     * part of a sample that is called image, of its shape, without a fingerprint */
    char role[48];
    dt_dtype dtype;
    dt_shape shape;
    uint64_t fingerprint;
} dt_identity_part;

typedef struct dt_identity {
    int count;
    dt_identity_part parts[DT_IDENTITY_PARTS];
} dt_identity;

/* Collective. Of a run's data; `test` may be NULL. The same on every rank and for any number of them. Where machines
 * have copies of their own that are not the same data, all ranks get a failure that names one; `file` is what they
 * opened. */
dt_status dt_identity_of(dt_identity *out, const dt_ranks *ranks, const char *file, const dt_source *train,
                         const dt_source *test);

/* A line a dataset: "train_x uint8 [60000, 28, 28] 0123456789abcdef". */
void dt_identity_text(const dt_identity *identity, char text[DT_IDENTITY_TEXT]);
/* The part with this role, or NULL. */
const dt_identity_part *dt_identity_find(const dt_identity *identity, const char *role);
/* What such a text says, which may come from anywhere; `file` has it. */
dt_status dt_identity_parse(dt_identity *out, const char *text, const char *file);

/* That `found` is `stored`. A failure says of every dataset what it is and was: "train_x is float32 [300, 8], and was
 * float32 [600, 8]". */
dt_status dt_identity_compare(const dt_identity *stored, const dt_identity *found);

/* That samples of an array, `dataset` in `file`, have as many numbers as those the run was trained on whose checkpoint
 * `path` says `text` of its data. The array need only be described. */
dt_status dt_identity_expect(const char *text, const char *path, const char *file, const char *dataset,
                             const dt_array *array);

/* Names the parts of a row that have names, in an array that is recalled. */
dt_status dt_identity_name_inputs(const dt_identity *trained, dt_array *array, const char *file);

/* The fingerprint of `bytes` bytes, and of the values of an array, whatever files they are in. */
uint64_t dt_fingerprint(const void *values, size_t bytes);
uint64_t dt_fingerprint_of(const dt_array *array);

#endif
