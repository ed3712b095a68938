/* Tables of typed fields. One table drives parsing, defaults, ranges, --help-recipe, the resolved echo and the
 * comparison with a checkpoint's recipe. The recipe has one; so has every layer kind. */
#ifndef DTRAIN_FIELDS_H
#define DTRAIN_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/table.h"
#include "config/yaml.h"

typedef enum dt_field_type {
    DT_FIELD_BOOL,     /* bool:      true/false, yes/no, on/off */
    DT_FIELD_INT,      /* int64_t */
    DT_FIELD_REAL,     /* double: finite */
    DT_FIELD_TEXT,     /* char[DT_TEXT_MAX] */
    DT_FIELD_TEXTS,    /* char[DT_VALUE_TEXT]: a text, or several as "[a, 'b, c']" */
    DT_FIELD_DATASETS, /* the same, or a map of them as "{a: b, c: [d, e]}" */
    DT_FIELD_CHOICE,   /* int: index into choices */
    DT_FIELD_SPAN,    /* dt_span: "200", "200 steps", "90 s", "1 epoch", "0" or "never"; with choices also choices[0] */
    DT_FIELD_PERCENT, /* double: "1 %", "0.5%" or "1" */
    DT_FIELD_BYTES,   /* int64_t:   "2 GB", "512 MiB", "1000000" */
    DT_FIELD_LIST,    /* dt_shape: up to DT_MAX_RANK whole numbers, "[28, 28, 1]" */
    DT_FIELD_REALS,   /* dt_reals: a number, or a list of them, "[0.5, 2]"; with choices also one of these words */
} dt_field_type;

#define DT_TEXT_MAX 256
#define DT_VALUE_TEXT 2048 /* bytes that any value fits into, written as text */

#define DT_MOST_REALS 64

/* One number for all, or one for each of several. Or a word, choices[-count]. */
typedef struct dt_reals {
    int count;
    double value[DT_MOST_REALS];
} dt_reals;
#define DT_REAL(number) ((dt_reals){1, {(number)}})

typedef enum dt_span_unit {
    DT_SPAN_NEVER,
    DT_SPAN_STEPS,
    DT_SPAN_SECONDS,
    DT_SPAN_EPOCHS,
    DT_SPAN_BUDGET /* the word a field has for it: as often as something else allows */
} dt_span_unit;

/* A length of training. A bare number is a number of steps. Also "m", "h" and "min" (stored as seconds). */
typedef struct dt_span {
    double value;
    dt_span_unit unit;
} dt_span;

enum {
    DT_FIELD_ARITHMETIC = 1, /* a change alters the numbers: resuming with another value is refused */
    DT_FIELD_ABOVE = 2,      /* the minimum itself is not allowed */
    DT_FIELD_BELOW = 4,      /* the maximum itself is not allowed */
    DT_FIELD_REQUIRED = 8,   /* has no default */
    DT_FIELD_SHORTHAND = 16, /* in a layer: `- dense: 10` means this field */
};

typedef struct dt_field {
    const char *key; /* dotted: "optimizer.lr" */
    const char *was; /* another key, such as one it had before, which is read too; of a recipe's own fields, for a
                      * layer's are compared with a checkpoint's as they are written. NULL: none */
    dt_field_type type;
    size_t offset;        /* into the struct the table describes */
    const char *fallback; /* the default, as YAML text; NULL with DT_FIELD_REQUIRED */
    double min, max; /* of INT, REAL and the numbers of a LIST or REALS; of a SPAN's value; of a TEXT's length. max <=
                      * min: no maximum; both 0      without DT_FIELD_ABOVE: no minimum either */
    unsigned flags;
    const char *const *choices; /* NULL-terminated; for CHOICE, and where a type says so */
    const char *const *were;    /* names that choices had before, which are read too, each followed by its present one;
                                 * NULL-terminated. NULL: none */
    const char *help;           /* one line: meaning and unit */
} dt_field;

/* Tables end with a row whose key is NULL. */

/* Fills `out` from the tree: defaults first, then what `map` says. `map` may be NULL. Keys of `map` that are in no
 * table row and not in `also` (NULL-terminated list of dotted keys decoded elsewhere, may be NULL) are refused, with
 * the nearest known key as a suggestion. `prefix` is put before keys in messages ("model.layers.0.dense."; "" for the
 * recipe). Message form: "recipe mnist.yaml:14: optimizer.lr is -0.1; it must be greater than 0 (default 0.001)". */
dt_status dt_fields_decode(const dt_field *table, const dt_yaml *map, const char *prefix, const char *const *also,
                           void *out);

/* The value of one field as YAML text ("0.001", "true", "200 steps"); reals round-trip exactly (shortest of
 * %.9g…%.17g). */
void dt_field_text(const dt_field *field, const void *in, char out[DT_VALUE_TEXT]);

/* The row of a key, or NULL. */
const dt_field *dt_field_find(const dt_field *table, const char *key);

/* What the tree has for a field, under its key or the one it had before; or NULL. Borrowed. */
const dt_yaml *dt_field_node(const dt_field *field, const dt_yaml *map);

/* Whether the field of `in` has its default; false when it has none. */
bool dt_field_is_default(const dt_field *field, const void *in);

/* Writes every field into `map` at its dotted key. */
dt_status dt_fields_encode(const dt_field *table, const void *in, dt_yaml *map);

/* Help text, a line a field: key, type and range, default, meaning. Free with dt_free. */
char *dt_fields_help(const dt_field *table, const char *prefix);

#endif
