#include "compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "html.h"

#define MOST_FIELDS 2000
#define MOST_SHOWN 60
#define MOST_PATH 160

typedef struct paths {
    char (*all)[MOST_PATH];
    int count;
} paths;

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

static void collect(const dt_yaml *node, const char *path, paths *out) {
    int index = 0;
    for (const dt_yaml *child = node->first; child; child = child->next, index++) {
        char below[MOST_PATH] = "", number[16];
        snprintf(number, sizeof number, "%d", index);
        bool fits = dt_append(below, sizeof below, "%s%s%s", path, *path ? "." : "", child->key ? child->key : number);
        if (!fits || out->count == MOST_FIELDS) continue;
        if (child->kind == DT_YAML_SCALAR)
            memcpy(out->all[out->count++], below, sizeof below);
        else
            collect(child, below, out);
    }
}

static const char *value_of(const dt_view *view, const char *path) {
    const dt_yaml *node = view->tree ? dt_yaml_get(view->tree, path) : NULL;
    return node && node->kind == DT_YAML_SCALAR ? node->text : "–";
}

/* ---- layers ---- */

#define MOST_LAYERS 1500 /* bytes of them as text */

/* A layer by its kind and what most tells it from others of its kind. */
static void put_layer(const dt_yaml *layer, char out[MOST_LAYERS]) {
    static const char *const told[] = {"out", "kernel", "stride", "rate", "heads", "width", "size", "activation"};
    const dt_yaml *kind = layer->kind == DT_YAML_MAP ? layer->first : layer;
    dt_append(out, MOST_LAYERS, "%s%s", *out ? ", " : "", kind ? kind->key ? kind->key : kind->text : "?");
    for (size_t i = 0; kind && kind->kind == DT_YAML_MAP && i < sizeof told / sizeof *told; i++) {
        const dt_yaml *field = dt_yaml_get(kind, told[i]);
        if (field && field->kind == DT_YAML_SCALAR && strcmp(field->text, "linear") != 0)
            dt_append(out, MOST_LAYERS, " %s", field->text);
    }
}

static void layers_of(const dt_view *view, char out[MOST_LAYERS]) {
    const dt_yaml *list = view->tree ? dt_yaml_get(view->tree, "model.layers") : NULL;
    out[0] = '\0';
    for (const dt_yaml *layer = list ? list->first : NULL; layer; layer = layer->next) put_layer(layer, out);
}

static bool is_of_layers(const char *path) {
    return strncmp(path, "model.layers.", 13) == 0;
}

/* Whether the runs have layers of the same kinds, so that their fields can be compared one by one. */
static bool same_layers(const dt_view *views, int count, const paths *found) {
    for (int i = 0; i < found->count; i++)
        for (int j = 0; is_of_layers(found->all[i]) && j < count; j++)
            if (!views[j].tree || !dt_yaml_get(views[j].tree, found->all[i])) return false;
    return true;
}

static void put_layers(FILE *to, const dt_view *views, int count) {
    fputs("<tr class=differs><th scope=row><code>model.layers</code></th>", to);
    for (int j = 0; j < count; j++) {
        char text[MOST_LAYERS];
        layers_of(&views[j], text);
        fputs("<td>", to);
        dt_html_text(to, text, false);
        fputs("</td>", to);
    }
    fputs("</tr>\n", to);
}

/* ---- rows ---- */

static bool differs(const dt_view *views, int count, const char *path) {
    if (strcmp(path, "name") == 0 || strcmp(path, "run") == 0) return false;
    for (int i = 1; i < count; i++)
        if (strcmp(value_of(&views[0], path), value_of(&views[i], path)) != 0) return true;
    return false;
}

static void put_rows(FILE *to, const dt_view *views, int count, const paths *found) {
    int shown = 0, more = 0;
    bool alike = same_layers(views, count, found);
    if (!alike) put_layers(to, views, count);
    for (int i = 0; i < found->count; i++) {
        const char *path = found->all[i];
        if ((i > 0 && strcmp(path, found->all[i - 1]) == 0) || !differs(views, count, path)) continue;
        if (!alike && is_of_layers(path)) continue;
        if (++shown > MOST_SHOWN) {
            more++;
            continue;
        }
        fputs("<tr class=differs><th scope=row><code>", to);
        dt_html_text(to, path, false);
        fputs("</code></th>", to);
        for (int j = 0; j < count; j++) {
            fputs("<td>", to);
            dt_html_text(to, value_of(&views[j], path), false);
            fputs("</td>", to);
        }
        fputs("</tr>\n", to);
    }
    if (more > 0)
        fprintf(to, "<tr class=differs><th scope=row>and %d more fields</th><td colspan=%d></td></tr>\n", more, count);
}

void dt_report_differences(FILE *to, const dt_view *views, int count) {
    paths found = {dt_alloc(MOST_FIELDS, sizeof *found.all), 0};
    if (!found.all) return;
    for (int i = 0; i < count; i++)
        if (views[i].tree) collect(views[i].tree, "", &found);
    qsort(found.all, (size_t)found.count, sizeof *found.all, by_name);
    put_rows(to, views, count, &found);
    dt_free(found.all);
}
