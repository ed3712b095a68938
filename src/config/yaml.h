/* A YAML document as a tree that remembers where each value stood, so that any error can name its line. */
#ifndef DTRAIN_YAML_H
#define DTRAIN_YAML_H

#include <stdbool.h>

#include "base/status.h"

typedef enum dt_yaml_kind { DT_YAML_SCALAR, DT_YAML_LIST, DT_YAML_MAP } dt_yaml_kind;

typedef struct dt_yaml {
    dt_yaml_kind kind;
    char *key;             /* in a map: this entry's key; else NULL */
    char *text;            /* of a scalar; else NULL. A plain empty or "null" or "~" scalar has text "" */
    char *source;          /* "mnist.yaml:14" or "--set optimizer.lr"; never NULL */
    bool quoted;           /* of a scalar: it is a text, whatever it looks like; dt_yaml_emit quotes "no" and "1e3" */
    struct dt_yaml *first; /* children of a list or map */
    struct dt_yaml *next;  /* next sibling */
} dt_yaml;

/* Parses a file or a text called `name` in messages. One document; anchors, aliases and tags are refused with a
 * message; so are duplicate keys, keys with a dot (paths are dotted), nesting deeper than 64, more than 100000 values
 * and files above 16 MiB or that are no regular files. The root is a map (an empty document is an empty map).
 * DT_ERR_IO when the file cannot be read, else DT_ERR_INPUT. *out is NULL after a failure. */
dt_status dt_yaml_parse_file(dt_yaml **out, const char *path);
dt_status dt_yaml_parse_text(dt_yaml **out, const char *name, const char *text);

dt_yaml *dt_yaml_new(dt_yaml_kind kind, const char *key, const char *text, const char *source);
void dt_yaml_append(dt_yaml *parent, dt_yaml *child); /* parent takes ownership */
dt_yaml *dt_yaml_clone(const dt_yaml *node);          /* NULL for NULL or when memory is short */
void dt_yaml_destroy(dt_yaml *node);                  /* accepts NULL; frees children */

/* The node at a dotted path ("optimizer.lr", "model.layers.0.dense.out": numbers index lists), or NULL. Borrowed. */
dt_yaml *dt_yaml_get(const dt_yaml *root, const char *path);

/* Puts `value` at `path`, making maps on the way, replacing what stood there. An index one past a list's end appends.
 * Takes ownership of value, also when it fails: DT_ERR_INPUT when the path leads through a value or past a list,
 * DT_ERR_MEMORY when value is NULL. */
dt_status dt_yaml_put(dt_yaml *root, const char *path, dt_yaml *value);

/* Applies one "--set" assignment "a.b=c"; c is parsed as YAML, so lists work: model.layers=[{dense: 10}]. DT_ERR_USAGE
 * when it is malformed or its path leads nowhere. */
dt_status dt_yaml_assign(dt_yaml *root, const char *assignment);

/* The tree as YAML text (block style, two-space indent; short leaf maps in flow style). Parsing it gives an equal tree.
 * Free with dt_free; NULL when memory is short. */
char *dt_yaml_emit(const dt_yaml *root);

/* How a message that names a source begins: "recipe " for a file, "" for a source that says itself what it is ("--set
 * optimizer.lr", "the default recipe:3"). Use as "%s%s: …", dt_source_noun(source), source. */
const char *dt_source_noun(const char *source);

#endif
