/* Recipes are read into a tree of our own, not walked as libyaml's events or document, for two reasons: every value
 * must remember its line, and --set must be able to change the tree before anything looks at it. What a recipe does not
 * need is refused rather than half supported: anchors, aliases, tags, a second document. Values stay text; what they
 * mean is decided by the table of fields that reads them. Limits on size, depth and number of values bound what a
 * broken or hostile file can cost. */
#include "config/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "base/append.h"
#include "base/memory.h"
#include "config_internal.h"

#define MAX_DEPTH 64
#define MAX_BYTES ((size_t)16 << 20)
#define MAX_NODES 100000
#define FLOW_WIDTH 90

/* ---- texts in messages ---- */

const char *dt_shown(const char *text, char out[DT_SHOWN]) {
    const size_t limit = 60;
    size_t n = 0;
    for (; text[n] && n < limit; n++) {
        unsigned char c = (unsigned char)text[n];
        bool c1 = n > 0 && (unsigned char)text[n - 1] == 0xC2 && c < 0xA0; /* U+0080 … U+009F, NEL among them */
        out[n] = (char)(c < 0x20 || c == 0x7F || c1 ? '?' : c);
    }
    if (!text[n]) {
        out[n] = '\0';
        return out;
    }
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) n--; /* do not cut a character in two */
    out[n] = '\0';
    dt_append(out, DT_SHOWN, "…");
    return out;
}

const char *dt_source_noun(const char *source) {
    return strncmp(source, "--set ", 6) == 0 || strncmp(source, "the ", 4) == 0 ? "" : "recipe ";
}

/* ---- the tree ---- */

dt_yaml *dt_yaml_new(dt_yaml_kind kind, const char *key, const char *text, const char *source) {
    dt_yaml *node = dt_alloc(1, sizeof *node);
    if (!node) return NULL;
    node->kind = kind;
    node->source = dt_strdup(source ? source : "");
    if (key) node->key = dt_strdup(key);
    if (kind == DT_YAML_SCALAR) node->text = dt_strdup(text ? text : "");
    if (node->source && (!key || node->key) && (kind != DT_YAML_SCALAR || node->text)) return node;
    dt_yaml_destroy(node);
    return NULL;
}

void dt_yaml_append(dt_yaml *parent, dt_yaml *child) {
    dt_yaml **at = &parent->first;
    while (*at) at = &(*at)->next;
    *at = child;
}

void dt_yaml_destroy(dt_yaml *node) {
    if (!node) return;
    for (dt_yaml *child = node->first, *next; child; child = next) {
        next = child->next;
        dt_yaml_destroy(child);
    }
    dt_free(node->key);
    dt_free(node->text);
    dt_free(node->source);
    dt_free(node);
}

dt_yaml *dt_yaml_clone(const dt_yaml *node) {
    if (!node) return NULL;
    dt_yaml *copy = dt_yaml_new(node->kind, node->key, node->text, node->source);
    if (!copy) return NULL;
    copy->quoted = node->quoted;
    dt_yaml **at = &copy->first;
    for (const dt_yaml *child = node->first; child; child = child->next, at = &(*at)->next) {
        *at = dt_yaml_clone(child);
        if (!*at) {
            dt_yaml_destroy(copy);
            return NULL;
        }
    }
    return copy;
}

/* Levels of the tree: 1 for a scalar. */
static int height(const dt_yaml *node) {
    int tallest = 0;
    for (const dt_yaml *child = node->first; child; child = child->next) {
        int tall = height(child);
        if (tall > tallest) tallest = tall;
    }
    return tallest + 1;
}

/* The place in `parent` of the child called part[length]: where it hangs or, at the end, where it would. `count` is
 * how many children come before. NULL: such a child cannot be, because part is no index of the list. */
static dt_yaml **find(dt_yaml *parent, const char *part, size_t length, long *count) {
    bool list = parent->kind == DT_YAML_LIST;
    long index = -1;
    if (list && length > 0 && length < 8 && strspn(part, "0123456789") >= length) index = strtol(part, NULL, 10);
    *count = 0;
    dt_yaml **at = &parent->first;
    for (; *at; at = &(*at)->next, ++*count) {
        const char *key = (*at)->key;
        if (list ? *count == index : key && strlen(key) == length && memcmp(key, part, length) == 0) return at;
    }
    return !list || index == *count ? at : NULL;
}

dt_yaml *dt_yaml_get(const dt_yaml *root, const char *path) {
    dt_yaml *node = (dt_yaml *)root;
    while (node && *path) {
        size_t length = strcspn(path, ".");
        long count;
        dt_yaml **at = node->kind == DT_YAML_SCALAR ? NULL : find(node, path, length, &count);
        node = at ? *at : NULL;
        path += length + (path[length] == '.');
    }
    return node;
}

/* An empty value, as in `optimizer:`, may become a map; any other value cannot. */
static dt_status open_group(dt_yaml *node, const char *path, int length) {
    if (node->kind != DT_YAML_SCALAR) return dt_ok();
    char shown[DT_SHOWN];
    if (node->text[0] != '\0')
        return dt_fail(DT_ERR_INPUT, "%.*s is \"%s\" and has no fields yet; give it as a whole, as in %.*s={…}", length,
                       path, dt_shown(node->text, shown), length, path);
    node->kind = DT_YAML_MAP;
    dt_free(node->text);
    node->text = NULL;
    return dt_ok();
}

/* Hangs `value` at a place `find` gave, in the stead of what hung there. */
static dt_status hang(dt_yaml **at, dt_yaml *value, bool in_list, const char *part) {
    char *key = in_list ? NULL : dt_strdup(part);
    if (!in_list && !key) return dt_fail_memory("a key", strlen(part));
    dt_free(value->key);
    value->key = key;
    dt_yaml *old = *at;
    value->next = old ? old->next : NULL;
    *at = value;
    dt_yaml_destroy(old);
    return dt_ok();
}

/* A new empty map called part[length], or without a name in a list; NULL when memory is short. */
static dt_yaml *make_group(bool in_list, const char *part, size_t length, const char *source) {
    dt_yaml *group = dt_yaml_new(DT_YAML_MAP, NULL, NULL, source);
    if (!group || in_list) return group;
    group->key = dt_alloc(length + 1, 1);
    if (group->key) {
        memcpy(group->key, part, length);
        return group;
    }
    dt_yaml_destroy(group);
    return NULL;
}

static dt_status put(dt_yaml *root, const char *path, dt_yaml *value) {
    dt_yaml *node = root;
    int room = MAX_DEPTH - height(value);
    for (const char *part = path;; room--) {
        size_t length = strcspn(part, ".");
        int above = part > path ? (int)(part - path) - 1 : 0; /* bytes of the path to `node` */
        if (length == 0) return dt_fail(DT_ERR_INPUT, "%s has an empty part; it must be like optimizer.lr", path);
        if (room == 0) return dt_fail(DT_ERR_INPUT, "%.40s… nests deeper than %d levels", path, MAX_DEPTH);
        DT_TRY(open_group(node, path, above));
        bool in_list = node->kind == DT_YAML_LIST;
        long count;
        dt_yaml **at = find(node, part, length, &count);
        if (!at)
            return dt_fail(DT_ERR_INPUT, "%.*s is a list of %ld; what follows must be a number from 0 to %ld, not %.*s",
                           above, path, count, count, (int)length, part);
        if (part[length] == '\0') return hang(at, value, in_list, part);
        if (!*at) *at = make_group(in_list, part, length, value->source);
        if (!*at) return dt_fail_memory("a group of fields", length);
        node = *at;
        part += length + 1;
    }
}

dt_status dt_yaml_put(dt_yaml *root, const char *path, dt_yaml *value) {
    dt_status status = value ? put(root, path, value) : dt_fail_memory(path, sizeof *value);
    if (status.code != DT_OK) dt_yaml_destroy(value);
    return status;
}

/* ---- reading ---- */

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
    frame stack[MAX_DEPTH];
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

static bool is_null_word(const char *text) {
    return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 ||
           strcmp(text, "NULL") == 0;
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
    return attach(r, DT_YAML_SCALAR, plain && is_null_word(text) ? "" : text, !plain, line);
}

static dt_status on_begin(reader *r, dt_yaml_kind kind, size_t line) {
    if (r->depth == MAX_DEPTH) return fail_at(r, line, "nested deeper than %d levels", MAX_DEPTH);
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

/* ---- writing ---- */

/* Whether a YAML reader that knows types would take a plain `text` for something else than a text. */
static bool looks_typed(const char *text) {
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "y", "n"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    return is_null_word(text) || strchr("0123456789+-.=<", text[0]) != NULL;
}

/* libyaml quotes what its syntax needs; types are our affair. */
static yaml_scalar_style_t style_of(const char *text, bool quoted) {
    bool must = (quoted && looks_typed(text)) || (text[0] && is_null_word(text));
    return must ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE;
}

static bool emit_text(yaml_emitter_t *emitter, const char *text, bool quoted) {
    yaml_event_t event;
    return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
                                        style_of(text, quoted)) &&
           yaml_emitter_emit(emitter, &event);
}

/* Nothing at all: between brackets libyaml would write it as a text that is empty. */
static bool emit_nothing(yaml_emitter_t *emitter, bool in_brackets) {
    yaml_event_t event;
    const char *text = in_brackets ? "~" : "";
    return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
                                        YAML_PLAIN_SCALAR_STYLE) &&
           yaml_emitter_emit(emitter, &event);
}

/* Whether nothing in a list or map has named parts. */
static bool is_leaf(const dt_yaml *node) {
    for (const dt_yaml *child = node->first; child; child = child->next)
        if (child->kind == DT_YAML_MAP || (child->kind == DT_YAML_LIST && !is_leaf(child))) return false;
    return true;
}

static size_t width(const dt_yaml *node) {
    size_t sum = (node->key ? strlen(node->key) + 2 : 0) + (node->text ? strlen(node->text) + 2 : 2);
    for (const dt_yaml *child = node->first; child && sum <= FLOW_WIDTH; child = child->next) sum += width(child);
    return sum;
}

/* Where a node is written. */
typedef struct place {
    dt_yaml_kind parent;
    bool inside_list, in_brackets;
} place;

static bool emit_node(yaml_emitter_t *emitter, const dt_yaml *node, place at);

static bool emit_children(yaml_emitter_t *emitter, const dt_yaml *node, place at) {
    at.parent = node->kind;
    at.inside_list = at.inside_list || node->kind == DT_YAML_LIST;
    for (const dt_yaml *child = node->first; child; child = child->next) {
        if (node->kind == DT_YAML_MAP && !emit_text(emitter, child->key, false)) return false;
        if (!emit_node(emitter, child, at)) return false;
    }
    return true;
}

/* The fields of a layer go on its line, and so do short lists of values; everything else has a line of its own. */
static bool emit_node(yaml_emitter_t *emitter, const dt_yaml *node, place at) {
    if (node->kind == DT_YAML_SCALAR && !node->quoted && !node->text[0]) return emit_nothing(emitter, at.in_brackets);
    if (node->kind == DT_YAML_SCALAR) return emit_text(emitter, node->text, node->quoted);
    yaml_event_t event;
    bool list = node->kind == DT_YAML_LIST;
    bool flow = (list || (at.inside_list && at.parent == DT_YAML_MAP)) && is_leaf(node) && width(node) <= FLOW_WIDTH;
    int made = list ? yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                                           flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE)
                    : yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                                          flow ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE);
    at.in_brackets = at.in_brackets || flow;
    if (!made || !yaml_emitter_emit(emitter, &event) || !emit_children(emitter, node, at)) return false;
    made = list ? yaml_sequence_end_event_initialize(&event) : yaml_mapping_end_event_initialize(&event);
    return made && yaml_emitter_emit(emitter, &event);
}

static bool emit_document(yaml_emitter_t *emitter, const dt_yaml *root) {
    yaml_event_t event;
    return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && yaml_emitter_emit(emitter, &event) &&
           yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) && yaml_emitter_emit(emitter, &event) &&
           emit_node(emitter, root, (place){.parent = DT_YAML_MAP}) && yaml_document_end_event_initialize(&event, 1) &&
           yaml_emitter_emit(emitter, &event) && yaml_stream_end_event_initialize(&event) &&
           yaml_emitter_emit(emitter, &event);
}

char *dt_yaml_emit(const dt_yaml *root) {
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    if (!stream) return NULL;
    yaml_emitter_t emitter;
    bool complete = yaml_emitter_initialize(&emitter) == 1;
    if (complete) {
        yaml_emitter_set_output_file(&emitter, stream);
        yaml_emitter_set_unicode(&emitter, 1);
        yaml_emitter_set_indent(&emitter, 2);
        yaml_emitter_set_width(&emitter, -1);
        complete = emit_document(&emitter, root);
        yaml_emitter_delete(&emitter);
    }
    complete = fclose(stream) == 0 && complete;
    char *copy = complete ? dt_strdup(text) : NULL;
    free(text);
    return copy;
}
