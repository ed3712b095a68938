/* Training pictures moved and mirrored, as they are converted. What happens to a sample is a draw keyed by (seed,
 * epoch, sample), so it is the same whichever rank computes it, wherever in a batch it stands and however often a step
 * is redone. What moves in from outside is 0 in the file's numbers, black, not 0 after scaling, which would be grey. */
#include <string.h>

#include "samples.h"

dt_augment dt_augment_at(const dt_recipe_data *data, int64_t seed, int64_t epoch) {
    return (dt_augment){data->crop_padding, data->flip,
                        dt_stream_at((uint64_t)seed, DT_RANDOM_AUGMENT, (uint64_t)epoch, 0),
                        dt_stream_at((uint64_t)seed, DT_RANDOM_WINDOW, (uint64_t)epoch, 0),
                        dt_stream_at((uint64_t)seed, DT_RANDOM_MASK, (uint64_t)epoch, 0)};
}

dt_augment_draw dt_augment_draw_of(const dt_augment *augment, int64_t index) {
    uint32_t words[4];
    dt_stream_block(words, augment->stream, (uint64_t)index, 0);
    uint64_t places = 2 * (uint64_t)augment->crop_padding + 1;
    return (dt_augment_draw){(int64_t)(words[0] * places >> 32) - augment->crop_padding,
                             (int64_t)(words[1] * places >> 32) - augment->crop_padding,
                             augment->flip && words[2] >> 31};
}

static void mirror(dt_real *line, int64_t width, int64_t depth) {
    for (int64_t left = 0, right = width - 1; left < right; left++, right--) {
        for (int64_t c = 0; c < depth; c++) {
            dt_real held = line[left * depth + c];
            line[left * depth + c] = line[right * depth + c];
            line[right * depth + c] = held;
        }
    }
}

void dt_augment_sample(dt_real *out, const void *sample, dt_dtype dtype, const dt_kernels *kernels, const dt_scaling *s,
                       const dt_augment_draw *draw) {
    int64_t line = s->width * s->depth;
    int64_t begin = draw->right < 0 ? -draw->right : 0, end = draw->right > 0 ? s->width - draw->right : s->width;
    dt_real *to = out;
    for (int64_t plane = 0; plane < s->planes; plane++) {
        for (int64_t y = 0; y < s->height; y++, to += line) {
            int64_t source = y + draw->down;
            bool inside = source >= 0 && source < s->height;
            dt_scale_black(to, dtype, s, plane, inside ? begin : s->width);
            if (!inside) continue;
            int64_t at = (plane * s->height + source) * line + (begin + draw->right) * s->depth;
            dt_scale_run(to + begin * s->depth, (const char *)sample + (size_t)at * dt_dtype_size(dtype), dtype,
                         kernels, s, plane, end - begin);
            dt_scale_black(to + end * s->depth, dtype, s, plane, s->width - end);
            if (draw->mirrored) mirror(to, s->width, s->depth);
        }
    }
    dt_scale_vectors(out, dtype, kernels, s, s->height * s->width);
    dt_scale_missing(out, s);
}

/* The pixel of a line that pixel x comes from. */
static int64_t source_of(int64_t x, int64_t width, const dt_augment_draw *draw) {
    return (draw->mirrored ? width - 1 - x : x) + draw->right;
}

void dt_augment_picture(char *out, const char *row, size_t row_bytes, size_t size, const dt_picture *p,
                        const dt_augment_draw *draw) {
    const size_t pixel = (size_t)p->depth * size, line = (size_t)p->width * pixel;
    memcpy(out, row, row_bytes);
    for (int64_t plane = 0; plane < p->planes; plane++) {
        const size_t begin = (size_t)p->first * size + (size_t)(plane * p->height) * line;
        for (int64_t y = 0; y < p->height; y++) {
            const int64_t from = y + draw->down;
            char *to = out + begin + (size_t)y * line;
            memset(to, 0, line);
            if (from < 0 || from >= p->height) continue;
            for (int64_t x = 0; x < p->width; x++) {
                const int64_t source = source_of(x, p->width, draw);
                if (source >= 0 && source < p->width)
                    memcpy(to + (size_t)x * pixel, row + begin + (size_t)from * line + (size_t)source * pixel, pixel);
            }
        }
    }
}
