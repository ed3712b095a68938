/* The order Keras has the layers of a graph in, once it has loaded it: both kinds of file count weights by it, and not
 * by the layers' names. Source: keras-team/keras, keras/src/ops/function.py, map_graph. */
#include <stdlib.h>
#include <string.h>

#include "base/headway.h"
#include "base/memory.h"
#include "keras_layers.h"

typedef struct place {
    int node, depth, visit; /* steps to the output; when a walk from there comes by, or -1 */
} place;

static const json_t *reads_of(const dt_keras *k, int node) {
    return json_array_get(json_object_get(json_array_get(k->layers, (size_t)node), "inbound_nodes"), 0);
}

/* The node that is read as the i-th. */
static int read_by(const dt_keras *k, const json_t *reads, size_t i) {
    const char *name = json_string_value(json_array_get(json_array_get(reads, i), 0));
    int node = 0;
    while (node + 1 < k->count && strcmp(k->nodes[node].name, name) != 0) node++;
    return node;
}

static void walk(const dt_keras *k, place *places, int node, int *visits) {
    if (places[node].visit >= 0) return;
    places[node].visit = (*visits)++;
    const json_t *reads = reads_of(k, node);
    for (size_t i = 0; i < json_array_size(reads); i++) walk(k, places, read_by(k, reads, i), visits);
}

/* Layers read what is before them, so depths are final from the last on. */
static void measure_depths(const dt_keras *k, place *places) {
    for (int node = k->count - 1; node >= 0; node--) {
        const json_t *reads = reads_of(k, node);
        for (size_t i = 0; i < json_array_size(reads); i++) {
            place *read = &places[read_by(k, reads, i)];
            if (read->depth <= places[node].depth) read->depth = places[node].depth + 1;
        }
    }
}

static int by_depth(const void *a, const void *b) {
    const place *one = a, *two = b;
    return one->depth != two->depth ? (one->depth > two->depth ? -1 : 1) : one->visit - two->visit;
}

static dt_status find_order(const dt_keras *k, int *nodes) {
    int visits = 0;
    place *places = dt_alloc((size_t)k->count, sizeof *places);
    if (!places) return dt_fail_memory("an order of layers", (size_t)k->count * sizeof *places);
    for (int i = 0; i < k->count; i++) places[i] = (place){.node = i, .visit = -1};
    walk(k, places, k->count - 1, &visits);
    measure_depths(k, places);
    qsort(places, (size_t)k->count, sizeof *places, by_depth);
    for (int i = 0; i < k->count; i++) nodes[i] = places[i].node;
    dt_free(places);
    return dt_ok();
}

static dt_status put_in_order(const dt_keras *k, const int *order, const char *path, dt_keras_put *put, void *context) {
    dt_headway headway;
    dt_status status = dt_ok();
    dt_headway_begin(&headway, "layers", k->count, "writing %s", path);
    for (int i = 0; i < k->count && status.code == DT_OK; i++) {
        status = put(context, k, order, i);
        dt_headway_at(&headway, i + 1);
    }
    dt_headway_end(&headway);
    return status;
}

dt_status dt_keras_put_nodes(const dt_keras *k, const char *path, dt_keras_put *put, void *context) {
    int *order = dt_alloc((size_t)k->count, sizeof *order);
    if (!order) return dt_fail_memory("an order of layers", (size_t)k->count * sizeof *order);
    dt_status status = find_order(k, order);
    if (status.code == DT_OK) status = put_in_order(k, order, path, put, context);
    dt_free(order);
    return status;
}
