/* Recipes are read into a tree of our own, not walked as libyaml's events or document, for two reasons: every value
 * must remember its line, and --set must be able to change the tree before anything looks at it. What a recipe does not
 * need is refused rather than half supported: anchors, aliases, tags, a second document. Values stay text; what they
 * mean is decided by the table of fields that reads them. Limits on size, depth and number of values bound what a
 * broken or hostile file can cost. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "base/memory.h"
#include "config/fields.h"
#include "shown.h"
#include "yaml_internal.h"

#define MAX_BYTES ((size_t)16 << 20)
#define MAX_NODES 100000

bool dt_yaml_is_null_word(const char *text) {
    return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 ||
           strcmp(text, "NULL") == 0;
}

/* A list or map that is open while its children are read. */
typedef struct frame {
    dt_yaml *node;
    dt_yaml *tail;   /* its last child so far */
    char *key;       /* in a map: the key whose value comes next */
    size_t key_line; /* where that stands */
} frame;

typedef struct reader {
    yaml_parser_t parser;
    const char *name; /* in messages */
    const char *bytes;
    size_t length;
    bool whole; /* `name` is the source of every value, and the document need not be a map: --set */
    frame stack[DT_YAML_MAX_DEPTH];
    int depth, nodes, documents;
    dt_yaml *root;
} reader;

static void source_of(const reader *r, size_t line, char *out, size_t size) {
    if (r->whole)
        snprintf(out, size, "%s", r->name);
    else
        snprintf(out, size, "%s:%zu", r->name, line);
}

static dt_status fail_at(const reader *r, size_t line, const char *format, ...) __attribute__((format(printf, 3, 4)));

static dt_status fail_at(const reader *r, size_t line, const char *format, ...) {
    char text[320], source[PATH_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    source_of(r, line, source, sizeof source);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s", dt_source_noun(source), source, text);
}

/* Whether line number `line` (from 1) is indented with a tab, the commonest of all YAML mistakes. */
static bool has_tab(const reader *r, size_t line) {
    const char *at = r->bytes, *end = r->bytes + r->length;
    for (; line > 1 && at; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at) at++;
    }
    while (at && at < end && *at == ' ') at++;
    return at && at < end && *at == '\t';
}

static dt_status yaml_failure(const reader *r) {
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "unknown error";
    size_t line = p->problem_mark.line + 1;
    if (p->error == YAML_MEMORY_ERROR) return dt_fail_memory("a recipe's text", r->length);
    if (p->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < p->problem_offset && i < r->length; i++) line += r->bytes[i] == '\n';
        return fail_at(r, line, "this is not a text: %s (0x%02x, at byte %zu)", problem, (unsigned)p->problem_value,
                       p->problem_offset);
    }
    if (!r->whole && has_tab(r, line))
        return fail_at(r, line, "not valid YAML: the line is indented with a tab; YAML wants spaces");
    if (!p->context) return fail_at(r, line, "not valid YAML: %s", problem);
    if (r->whole || p->context_mark.line + 1 == line)
        return fail_at(r, line, "not valid YAML: %s, %s", problem, p->context);
    return fail_at(r, line, "not valid YAML: %s, %s from line %zu on", problem, p->context, p->context_mark.line + 1);
}

static frame *top(reader *r) {
    return r->depth > 0 ? &r->stack[r->depth - 1] : NULL;
}

/* Makes a node where the document stands, hangs it into the tree and, unless it is a scalar, opens it. */
static dt_status attach(reader *r, dt_yaml_kind kind, const char *text, bool quoted, size_t line) {
    frame *parent = top(r);
    if (parent && parent->node->kind == DT_YAML_MAP && !parent->key)
        return fail_at(r, line, "a key must be a word, not a list or a map (values with { or [ need quotes)");
    if (++r->nodes > MAX_NODES) return fail_at(r, line, "more than %d values; this is not a recipe", MAX_NODES);
    char source[PATH_MAX];
    source_of(r, parent && parent->key ? parent->key_line : line, source, sizeof source);
    dt_yaml *node = dt_yaml_new(kind, parent ? parent->key : NULL, text, source);
    if (!node) return dt_fail_memory("a recipe", sizeof *node);
    node->quoted = quoted;
    if (parent) {
        dt_free(parent->key);
        parent->key = NULL;
        *(parent->tail ? &parent->tail->next : &parent->node->first) = node;
        parent->tail = node;
    } else {
        r->root = node;
    }
    if (kind != DT_YAML_SCALAR) r->stack[r->depth++] = (frame){.node = node};
    return dt_ok();
}

static dt_status on_key(reader *r, const char *text, size_t line) {
    char shown[DT_SHOWN];
    if (text[0] == '\0') return fail_at(r, line, "there is a value without a key");
    if (strchr(text, '.'))
        return fail_at(r, line,
                       "the key %s has a dot in it; write the part before the dot, a colon, and the rest "
                       "indented below it",
                       dt_shown(text, shown));
    frame *map = top(r);
    map->key = dt_strdup(text);
    map->key_line = line;
    return map->key ? dt_ok() : dt_fail_memory("a key", strlen(text));
}

static dt_status on_scalar(reader *r, const yaml_event_t *event, size_t line) {
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) return fail_at(r, line, "a value holds a NUL character");
    const frame *parent = top(r);
    if (parent && parent->node->kind == DT_YAML_MAP && !parent->key) return on_key(r, text, line);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return attach(r, DT_YAML_SCALAR, plain && dt_yaml_is_null_word(text) ? "" : text, !plain, line);
}

static dt_status on_begin(reader *r, dt_yaml_kind kind, size_t line) {
    if (r->depth == DT_YAML_MAX_DEPTH) return fail_at(r, line, "nested deeper than %d levels", DT_YAML_MAX_DEPTH);
    return attach(r, kind, NULL, false, line);
}

typedef struct entry {
    const dt_yaml *node;
    size_t index;
} entry;

static int by_key(const void *a, const void *b) {
    const entry *x = a, *y = b;
    int order = strcmp(x->node->key, y->node->key);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Sorts, because a file may hold a map with very many keys. */
static dt_status check_duplicates(const dt_yaml *map) {
    size_t count = 0;
    for (const dt_yaml *child = map->first; child; child = child->next) count++;
    if (count < 2) return dt_ok();
    entry *entries = dt_alloc(count, sizeof *entries);
    if (!entries) return dt_fail_memory("a map's keys", count * sizeof *entries);
    count = 0;
    for (const dt_yaml *child = map->first; child; child = child->next, count++) entries[count] = (entry){child, count};
    qsort(entries, count, sizeof *entries, by_key);
    dt_status status = dt_ok();
    for (size_t i = 1; i < count && status.code == DT_OK; i++) {
        const dt_yaml *first = entries[i - 1].node, *second = entries[i].node;
        char shown[DT_SHOWN];
        if (strcmp(first->key, second->key) == 0)
            status =
                dt_fail(DT_ERR_INPUT, "%s%s: the key %s stands here again (first at %s); remove one",
                        dt_source_noun(second->source), second->source, dt_shown(first->key, shown), first->source);
    }
    dt_free(entries);
    return status;
}

static dt_status on_end(reader *r) {
    frame *closed = top(r);
    r->depth--;
    return closed->node->kind == DT_YAML_MAP ? check_duplicates(closed->node) : dt_ok();
}

static dt_status refuse_extras(const reader *r, const yaml_char_t *anchor, const yaml_char_t *tag, size_t line) {
    char shown[DT_SHOWN];
    if (anchor)
        return fail_at(r, line, "&%s is an anchor; recipes have none, write the value out",
                       dt_shown((const char *)anchor, shown));
    if (tag)
        return fail_at(r, line, "%s is a tag; recipes have none, quote the value if it begins with !",
                       dt_shown((const char *)tag, shown));
    return dt_ok();
}

static dt_status on_event(reader *r, const yaml_event_t *event) {
    size_t line = event->start_mark.line + 1;
    char shown[DT_SHOWN];
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->documents++) return fail_at(r, line, "a second document begins here; a recipe is one document");
        return dt_ok();
    case YAML_ALIAS_EVENT:
        return fail_at(r, line, "*%s is an alias; recipes have none, write the value out",
                       dt_shown((const char *)event->data.alias.anchor, shown));
    case YAML_SCALAR_EVENT:
        DT_TRY(refuse_extras(r, event->data.scalar.anchor, event->data.scalar.tag, line));
        return on_scalar(r, event, line);
    case YAML_SEQUENCE_START_EVENT:
        DT_TRY(refuse_extras(r, event->data.sequence_start.anchor, event->data.sequence_start.tag, line));
        return on_begin(r, DT_YAML_LIST, line);
    case YAML_MAPPING_START_EVENT:
        DT_TRY(refuse_extras(r, event->data.mapping_start.anchor, event->data.mapping_start.tag, line));
        return on_begin(r, DT_YAML_MAP, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return on_end(r);
    default: return dt_ok();
    }
}

static dt_status read_events(reader *r) {
    if (!yaml_parser_initialize(&r->parser)) return dt_fail_memory("the YAML parser", sizeof r->parser);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->bytes, r->length);
    dt_status status = dt_ok();
    bool more = true;
    while (more && status.code == DT_OK) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            status = yaml_failure(r);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        status = on_event(r, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&r->parser);
    return status;
}

/* An empty document is an empty map in a file, and an empty value after --set. */
static dt_status check_root(reader *r) {
    bool empty = !r->root || (r->root->kind == DT_YAML_SCALAR && r->root->text[0] == '\0');
    if (empty) {
        dt_yaml_destroy(r->root);
        char source[PATH_MAX];
        source_of(r, 1, source, sizeof source);
        r->root = dt_yaml_new(r->whole ? DT_YAML_SCALAR : DT_YAML_MAP, NULL, NULL, source);
        if (!r->root) return dt_fail_memory("a recipe", sizeof *r->root);
    }
    if (r->whole || r->root->kind == DT_YAML_MAP) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "recipe %s: it holds %s; a recipe is a map of fields, as in `name: mnist`",
                   r->root->source, r->root->kind == DT_YAML_LIST ? "a list" : "a single value");
}

static dt_status parse(dt_yaml **out, const char *name, const char *bytes, size_t length, bool whole) {
    *out = NULL;
    if (length > MAX_BYTES)
        return dt_fail(DT_ERR_INPUT, "%s%s has more than %zu MiB; this is not a recipe", dt_source_noun(name), name,
                       MAX_BYTES >> 20);
    reader *r = dt_alloc(1, sizeof *r);
    if (!r) return dt_fail_memory("the YAML parser", sizeof *r);
    r->name = name;
    r->bytes = bytes;
    r->length = length;
    r->whole = whole;
    dt_status status = read_events(r);
    for (int i = 0; i < r->depth; i++) dt_free(r->stack[i].key);
    if (status.code == DT_OK) status = check_root(r);
    if (status.code == DT_OK)
        *out = r->root;
    else
        dt_yaml_destroy(r->root);
    dt_free(r);
    return status;
}

dt_status dt_yaml_parse_text(dt_yaml **out, const char *name, const char *text) {
    return parse(out, name, text, strlen(text), false);
}

static dt_status read_all(int file, const char *path, char **bytes, size_t *length) {
    struct stat info;
    if (fstat(file, &info) != 0) return dt_fail(DT_ERR_IO, "recipe %s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return dt_fail(DT_ERR_INPUT, "recipe %s is %s; it must be a YAML file", path,
                       S_ISDIR(info.st_mode) ? "a directory" : "not a regular file");
    if ((size_t)info.st_size > MAX_BYTES)
        return dt_fail(DT_ERR_INPUT, "recipe %s has more than %zu MiB; this is not a recipe", path, MAX_BYTES >> 20);
    size_t room = (size_t)info.st_size + 1, used = 0;
    *bytes = dt_alloc(room, 1);
    if (!*bytes) return dt_fail_memory("a recipe's text", room);
    while (used < room) {
        ssize_t got = read(file, *bytes + used, room - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return dt_fail(DT_ERR_IO, "recipe %s cannot be read: %s", path, strerror(errno));
        if (got == 0) break;
        used += (size_t)got;
    }
    *length = used;
    return used < room ? dt_ok() : dt_fail(DT_ERR_IO, "recipe %s grew while it was read; try again", path);
}

dt_status dt_yaml_parse_file(dt_yaml **out, const char *path) {
    *out = NULL;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* non-blocking: a named pipe must not hang us */
    if (file < 0) return dt_fail(DT_ERR_IO, "recipe %s cannot be opened: %s", path, strerror(errno));
    char *bytes = NULL;
    size_t length = 0;
    dt_status status = read_all(file, path, &bytes, &length);
    close(file);
    if (status.code == DT_OK) status = parse(out, path, bytes, length, false);
    dt_free(bytes);
    return status;
}

static dt_status assign(dt_yaml *root, const char *key, const char *text) {
    char name[DT_TEXT_MAX];
    dt_yaml *value;
    snprintf(name, sizeof name, "--set %s", key);
    DT_TRY(parse(&value, name, text, strlen(text), true));
    return dt_status_within(dt_yaml_put(root, key, value), "--set %s", key);
}

dt_status dt_yaml_assign(dt_yaml *root, const char *assignment) {
    const char *equals = strchr(assignment, '=');
    char key[DT_TEXT_MAX - 8], shown[DT_SHOWN];
    if (!equals || equals == assignment)
        return dt_fail(DT_ERR_USAGE, "--set %s: it must be KEY=VALUE, as in optimizer.lr=0.01",
                       dt_shown(assignment, shown));
    if ((size_t)(equals - assignment) >= sizeof key)
        return dt_fail(DT_ERR_USAGE, "--set %s: the key is longer than any field's", dt_shown(assignment, shown));
    snprintf(key, sizeof key, "%.*s", (int)(equals - assignment), assignment);
    for (const char *c = key; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7F)
            return dt_fail(DT_ERR_USAGE, "--set %s: a key has no blanks; it must be KEY=VALUE",
                           dt_shown(assignment, shown));
    dt_status status = assign(root, key, equals + 1);
    if (status.code == DT_ERR_INPUT) status.code = DT_ERR_USAGE;
    return status;
}
