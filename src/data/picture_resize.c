/* Another size of a picture. A new value is a weighted mean of old ones, with weights that are whole numbers and one
 * division at the end, so no machine or compiler rounds another way. */
#include <string.h>

#include "base/memory.h"
#include "picture_internal.h"

/* Old pixels along one side that make a new one: weights[count] from `first` on, with the sum `total`. */
typedef struct taps {
    int64_t first;
    int count;
    uint32_t *weights;
} taps;

typedef struct side {
    taps *all; /* [new length] */
    uint32_t *weights;
    uint64_t total; /* of the weights of each */
} side;

/* In units of which an old pixel is `to` long and a new one `from`: the part of the new one that each old one covers.
 */
static void take_area(taps *t, int64_t i, int64_t from, int64_t to) {
    int64_t begin = i * from, end = begin + from;
    t->first = begin / to;
    for (int64_t k = t->first; k * to < end; k++) {
        int64_t left = k * to > begin ? k * to : begin, right = (k + 1) * to < end ? (k + 1) * to : end;
        t->weights[t->count++] = (uint32_t)(right - left);
    }
}

/* Between the two old pixels whose centres are nearest; beyond the outer ones there are only they. */
static void take_linear(taps *t, int64_t i, int64_t from, int64_t to) {
    int64_t place = (2 * i + 1) * from - to, unit = 2 * to; /* of the new centre, from the first old one's */
    int64_t k = place < 0 ? 0 : place / unit, part = place < 0 ? 0 : place % unit;
    bool last = k + 1 >= from;
    t->first = k;
    t->weights[0] = (uint32_t)(last ? unit : unit - part);
    t->weights[1] = (uint32_t)part;
    t->count = last ? 1 : 2;
}

static dt_status plan_side(side *s, int64_t from, int64_t to) {
    int64_t most = to < from ? from / to + 2 : 2;
    s->all = dt_alloc((size_t)to, sizeof *s->all);
    s->weights = dt_alloc((size_t)(to * most), sizeof *s->weights);
    if (!s->all || !s->weights) return dt_fail_memory("resizing a picture", (size_t)(to * most) * sizeof *s->weights);
    s->total = (uint64_t)(to < from ? from : 2 * to);
    for (int64_t i = 0; i < to; i++) {
        s->all[i].weights = s->weights + i * most;
        if (to < from)
            take_area(&s->all[i], i, from, to);
        else
            take_linear(&s->all[i], i, from, to);
    }
    return dt_ok();
}

static void finish_side(side *s) {
    dt_free(s->all);
    dt_free(s->weights);
}

/* One new value: 16 bits times twice 2^28 at most. */
static uint16_t mean_of(const dt_picture *p, const taps *rows, const taps *columns, int channel, uint64_t total) {
    uint64_t sum = 0;
    for (int r = 0; r < rows->count; r++) {
        const uint16_t *in = p->pixels + ((rows->first + r) * p->width + columns->first) * p->channels + channel;
        uint64_t row = 0;
        for (int c = 0; c < columns->count; c++) row += (uint64_t)columns->weights[c] * in[c * p->channels];
        sum += row * rows->weights[r];
    }
    return (uint16_t)((sum + total / 2) / total);
}

static void fill(const dt_picture *from, const side *rows, const side *columns, dt_picture *to) {
    uint16_t *out = to->pixels;
    for (int64_t y = 0; y < to->height; y++)
        for (int64_t x = 0; x < to->width; x++)
            for (int c = 0; c < to->channels; c++)
                *out++ = mean_of(from, &rows->all[y], &columns->all[x], c, rows->total * columns->total);
}

static dt_status stretch(dt_picture *picture, int64_t height, int64_t width) {
    side rows = {0}, columns = {0};
    dt_picture other = *picture;
    other.height = height;
    other.width = width;
    other.pixels = NULL;
    dt_status status = plan_side(&rows, picture->height, height);
    if (status.code == DT_OK) status = plan_side(&columns, picture->width, width);
    if (status.code == DT_OK) status = dt_picture_reserve(&other);
    if (status.code == DT_OK) {
        fill(picture, &rows, &columns, &other);
        dt_free(picture->pixels);
        *picture = other;
    }
    finish_side(&rows);
    finish_side(&columns);
    return status;
}

/* Cuts the longer side to the new ratio, in place. */
static void cut(dt_picture *p, int64_t height, int64_t width) {
    int64_t rows = p->height, columns = p->width;
    if (p->height * width > p->width * height)
        rows = p->width * height / width > 0 ? p->width * height / width : 1;
    else
        columns = p->height * width / height > 0 ? p->height * width / height : 1;
    int64_t top = (p->height - rows) / 2, left = (p->width - columns) / 2;
    for (int64_t y = 0; y < rows; y++)
        memmove(p->pixels + y * columns * p->channels, p->pixels + ((y + top) * p->width + left) * p->channels,
                (size_t)(columns * p->channels) * sizeof *p->pixels);
    p->height = rows;
    p->width = columns;
}

dt_status dt_picture_resize(dt_picture *picture, int64_t height, int64_t width, bool crop) {
    if (crop) cut(picture, height, width);
    return picture->height == height && picture->width == width ? dt_ok() : stretch(picture, height, width);
}
