/* Tensor tables: offsets are assigned in the order of declaration, first to what is trained, then to what is frozen,
 * and aligned to 64 bytes of float32, so every tensor starts on a cache line and kernels may run over whole arenas. */
#include "base/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"

#define ALIGN_ELEMENTS ((size_t)16)

static const struct {
    size_t size;
    const char *name;
} dtypes[DT_DTYPE_COUNT] = {
    [DT_U8] = {1, "uint8"},    [DT_I8] = {1, "int8"},     [DT_U16] = {2, "uint16"}, [DT_I16] = {2, "int16"},
    [DT_U32] = {4, "uint32"},  [DT_I32] = {4, "int32"},   [DT_U64] = {8, "uint64"}, [DT_I64] = {8, "int64"},
    [DT_F32] = {4, "float32"}, [DT_F64] = {8, "float64"},
};

size_t dt_dtype_size(dt_dtype dtype) {
    return dtypes[dtype].size;
}
const char *dt_dtype_name(dt_dtype dtype) {
    return dtypes[dtype].name;
}

int64_t dt_shape_count(const dt_shape *shape) {
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++) count *= shape->dim[i];
    return count;
}

int64_t dt_shape_last(const dt_shape *shape) {
    return shape->rank > 0 ? shape->dim[shape->rank - 1] : 1;
}

void dt_shape_text(const dt_shape *shape, char out[96]) {
    snprintf(out, 96, "[");
    for (int i = 0; i < shape->rank; i++) dt_append(out, 94, i ? ", %lld" : "%lld", (long long)shape->dim[i]);
    dt_append(out, 96, "]");
}

dt_status dt_table_add(dt_table *table, const char *name, const dt_shape *shape, unsigned flags) {
    size_t count = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] <= 0 || !dt_size_mul(count, (size_t)shape->dim[i], &count) || count > ((size_t)1 << 40)) {
            char text[96];
            dt_shape_text(shape, text);
            return dt_fail(DT_ERR_INPUT, "tensor %s has the unusable shape %s", name, text);
        }
    }
    if (table->count == table->capacity) {
        int capacity = table->capacity ? 2 * table->capacity : 16;
        dt_tensor *grown = dt_alloc((size_t)capacity, sizeof *grown);
        if (!grown) return dt_fail_memory("the tensor table", (size_t)capacity * sizeof *grown);
        if (table->count) memcpy(grown, table->tensors, (size_t)table->count * sizeof *grown);
        dt_free(table->tensors);
        table->tensors = grown;
        table->capacity = capacity;
    }
    dt_tensor *tensor = &table->tensors[table->count++];
    memset(tensor, 0, sizeof *tensor);
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    tensor->shape = *shape;
    const bool frozen = flags & DT_TENSOR_FROZEN;
    const size_t room = (count + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
    tensor->offset = frozen ? table->total - table->trained : table->trained;
    tensor->count = count;
    tensor->flags = flags;
    table->total += room;
    if (!frozen) table->trained += room;
    return dt_ok();
}

void dt_table_settle(dt_table *table) {
    for (int i = 0; i < table->count; i++)
        if (table->tensors[i].flags & DT_TENSOR_FROZEN) table->tensors[i].offset += table->trained;
}

dt_status dt_table_select_trained(const dt_table *table, dt_table *out) {
    for (int i = 0; i < table->count; i++) {
        const dt_tensor *tensor = &table->tensors[i];
        if (tensor->flags & DT_TENSOR_FROZEN) continue;
        DT_TRY(dt_table_add(out, tensor->name, &tensor->shape, tensor->flags));
        out->tensors[out->count - 1].keep = tensor->keep;
    }
    return dt_ok();
}

void dt_table_finish(dt_table *table) {
    dt_free(table->tensors);
    memset(table, 0, sizeof *table);
}

int dt_table_at(const dt_table *table, size_t offset) {
    int low = 0, high = table->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        const dt_tensor *tensor = &table->tensors[middle];
        if (tensor->offset + tensor->count > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

size_t dt_table_elements(const dt_table *table) {
    size_t elements = 0;
    for (int i = 0; i < table->count; i++) elements += table->tensors[i].count;
    return elements;
}
