/* Windows over pictures and series: of convolutions and pools. */
#ifndef DTRAIN_WINDOW_H
#define DTRAIN_WINDOW_H

#include "layer.h"

/* The fields convolutions and pools have in common, as the recipe writes them. */
typedef struct dt_window_config {
    char kernel[DT_TEXT_MAX], stride[DT_TEXT_MAX], dilation[DT_TEXT_MAX], padding[DT_TEXT_MAX];
} dt_window_config;

/* Rows of a table of fields; `config` is the kind's configuration, whose member `window` is a dt_window_config. */
#define DT_WINDOW_FIELD(config, name, initially, bits, text)                                                           \
    {                                                                                                                  \
        .key = #name, .type = DT_FIELD_TEXT, .offset = offsetof(config, window.name), .fallback = initially, .min = 1, \
        .flags = (bits) | DT_FIELD_ARITHMETIC, .help = text                                                            \
    }

/* The window's place over pictures of `size` pixels, [height, width], or over `size[1]` positions of a line when
 * `dimensions` is 1. An empty stride is the kernel's size, an empty dilation 1. */
dt_status dt_window_plan(dt_window *out, const dt_layer *layer, const dt_window_config *config, int dimensions,
                         const int64_t size[2]);
/* Whether a text says two numbers, as in 3x5. */
bool dt_window_is_pair(const char *text);

#endif
