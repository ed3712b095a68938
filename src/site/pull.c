#include "site/pull.h"

#include <string.h>

void dt_pull_gradient(const dt_pull *pull, const dt_table *table, dt_real *out, const dt_real *g, const dt_real *w,
                      double scale, size_t begin, size_t end) {
    const dt_real strength = (dt_real)(pull->proximal / scale);
    memcpy(out, g, (end - begin) * sizeof *out);
    for (int t = dt_table_at(table, begin); t < table->count && table->tensors[t].offset < end; t++) {
        const dt_tensor *tensor = &table->tensors[t];
        if (tensor->flags & DT_TENSOR_STATISTIC) continue;
        size_t first = tensor->offset > begin ? tensor->offset : begin;
        size_t last = tensor->offset + tensor->count < end ? tensor->offset + tensor->count : end;
        for (size_t i = first; i < last; i++) out[i - begin] += strength * (w[i] - pull->common[i]);
    }
}

void dt_pull_weights(const dt_pull *pull, dt_real *w, double rate, size_t begin, size_t end) {
    const dt_real step = (dt_real)rate;
    for (size_t i = begin; i < end; i++) w[i] += step * (pull->own[i] - pull->control[i]);
}
