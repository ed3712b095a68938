/* A cell of Braille is U+2800 and a bit for each of its dots (Unicode 15.0, Braille patterns). */
#include "canvas.h"

#include <stdlib.h>
#include <string.h>

void dt_canvas_clear(dt_canvas *c, int width, int height, bool braille) {
    c->width = width < 1 ? 1 : width > DT_CANVAS_WIDTH ? DT_CANVAS_WIDTH : width;
    c->height = height < 1 ? 1 : height > DT_CANVAS_HEIGHT ? DT_CANVAS_HEIGHT : height;
    c->braille = braille;
    memset(c->cells, 0, sizeof c->cells);
}

int dt_canvas_columns(const dt_canvas *c) {
    return c->width * (c->braille ? 2 : 1);
}

int dt_canvas_rows(const dt_canvas *c) {
    return c->height * (c->braille ? 4 : 1);
}

static void dot(dt_canvas *c, int x, int y) {
    static const unsigned char bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (x < 0 || y < 0 || x >= dt_canvas_columns(c) || y >= dt_canvas_rows(c)) return;
    if (c->braille)
        c->cells[y / 4][x / 2] |= bits[y % 4][x % 2];
    else
        c->cells[y][x] = 1;
}

/* Bresenham's. */
void dt_canvas_line(dt_canvas *c, int x0, int y0, int x1, int y1) {
    int dx = abs(x1 - x0), dy = -abs(y1 - y0), error = dx + dy;
    const int sx = x0 < x1 ? 1 : -1, sy = y0 < y1 ? 1 : -1;
    for (;;) {
        dot(c, x0, y0);
        if (x0 == x1 && y0 == y1) return;
        const int twice = 2 * error;
        if (twice >= dy) {
            error += dy;
            x0 += sx;
        }
        if (twice <= dx) {
            error += dx;
            y0 += sy;
        }
    }
}

void dt_canvas_print(const dt_canvas *c, int row, FILE *to) {
    for (int x = 0; x < c->width; x++) {
        const unsigned char cell = c->cells[row][x];
        if (!c->braille || cell == 0)
            fputc(cell ? '*' : ' ', to);
        else
            fprintf(to, "\xe2%c%c", 0xa0 | cell >> 6, 0x80 | (cell & 0x3f));
    }
}
