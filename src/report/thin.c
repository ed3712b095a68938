#include "thin.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* The rows of a bucket that stay; each is numbers[width] with its place among all rows before them. */
typedef struct bucket {
    double *least, *most;
} bucket;

struct dt_thin {
    int width, key, most_buckets, count;
    int64_t stride, rows; /* rows of a bucket; rows in all */
    bucket *buckets;
    double *numbers; /* [most_buckets, 2, 1 + width], then the first and the last row */
    double *first, *last;
};

static size_t row_size(const dt_thin *t) {
    return (size_t)t->width + 1;
}

static void copy(const dt_thin *t, double *to, const double *from) {
    memcpy(to, from, row_size(t) * sizeof *to);
}

dt_status dt_thin_create(dt_thin **out, int width, int key, int buckets) {
    *out = NULL;
    if (width < 1 || key < 0 || key >= width || buckets < 2 || buckets % 2 != 0)
        return dt_fail(DT_ERR_USAGE, "rows of %d numbers cannot be thinned by number %d to %d buckets", width, key,
                       buckets);
    dt_thin *t = dt_alloc(1, sizeof *t);
    size_t row = (size_t)width + 1, rows = 2 * (size_t)buckets + 2;
    if (t) t->numbers = dt_alloc(rows * row, sizeof *t->numbers);
    if (t) t->buckets = dt_alloc((size_t)buckets, sizeof *t->buckets);
    if (!t || !t->numbers || !t->buckets) {
        dt_thin_destroy(t);
        return dt_fail_memory("thinned rows", rows * row * sizeof(double));
    }
    t->width = width;
    t->key = key;
    t->most_buckets = buckets;
    for (int i = 0; i < buckets; i++)
        t->buckets[i] = (bucket){t->numbers + 2 * (size_t)i * row, t->numbers + (2 * (size_t)i + 1) * row};
    t->first = t->numbers + 2 * (size_t)buckets * row;
    t->last = t->first + row;
    dt_thin_clear(t);
    *out = t;
    return dt_ok();
}

void dt_thin_destroy(dt_thin *t) {
    if (!t) return;
    dt_free(t->numbers);
    dt_free(t->buckets);
    dt_free(t);
}

void dt_thin_clear(dt_thin *t) {
    t->count = 0;
    t->stride = 1;
    t->rows = 0;
}

static double figure(const dt_thin *t, const double *numbered) {
    return numbered[1 + t->key];
}

/* Of equal ones the earlier stays. */
static void join(const dt_thin *t, const bucket *to, const bucket *other) {
    if (figure(t, other->least) < figure(t, to->least)) copy(t, to->least, other->least);
    if (figure(t, other->most) > figure(t, to->most)) copy(t, to->most, other->most);
}

static void halve(dt_thin *t) {
    for (int i = 0; i < t->count / 2; i++) {
        const bucket *to = &t->buckets[i], *a = &t->buckets[2 * i];
        if (i > 0) {
            copy(t, to->least, a->least);
            copy(t, to->most, a->most);
        }
        join(t, to, &t->buckets[2 * i + 1]);
    }
    t->count /= 2;
    t->stride *= 2;
}

void dt_thin_add(dt_thin *t, const double *row) {
    if (isnan(row[t->key])) return;
    t->last[0] = (double)t->rows;
    memcpy(t->last + 1, row, (size_t)t->width * sizeof *row);
    if (t->rows == 0) copy(t, t->first, t->last);
    if (t->rows % t->stride == 0 && t->count == t->most_buckets) halve(t);
    bucket one = {t->last, t->last};
    if (t->rows % t->stride == 0) {
        copy(t, t->buckets[t->count].least, t->last);
        copy(t, t->buckets[t->count++].most, t->last);
    } else {
        join(t, &t->buckets[t->count - 1], &one);
    }
    t->rows++;
}

int64_t dt_thin_rows(const dt_thin *t) {
    return t->rows;
}

const double *dt_thin_last(const dt_thin *t) {
    return t->rows > 0 ? t->last + 1 : NULL;
}

/* Gives a row unless it, or a later one, was given. */
static void give_next(const double *numbered, double *given, int64_t *count, void (*give)(void *, const double *),
                      void *context) {
    if (numbered[0] <= *given) return;
    *given = numbered[0];
    ++*count;
    if (give) give(context, numbered + 1);
}

int64_t dt_thin_each(const dt_thin *t, void (*give)(void *context, const double *row), void *context) {
    double given = -1;
    int64_t count = 0;
    if (t->rows == 0) return 0;
    give_next(t->first, &given, &count, give, context);
    for (int i = 0; i < t->count; i++) {
        const bucket *b = &t->buckets[i];
        bool least_first = b->least[0] < b->most[0];
        give_next(least_first ? b->least : b->most, &given, &count, give, context);
        give_next(least_first ? b->most : b->least, &given, &count, give, context);
    }
    give_next(t->last, &given, &count, give, context);
    return count;
}
