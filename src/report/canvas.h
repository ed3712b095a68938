/* A curve in characters: dots of Braille patterns, two by four a cell, or one a cell where there is no UTF-8. */
#ifndef DTRAIN_CANVAS_H
#define DTRAIN_CANVAS_H

#include <stdbool.h>
#include <stdio.h>

#define DT_CANVAS_WIDTH 512 /* cells at most */
#define DT_CANVAS_HEIGHT 128

typedef struct dt_canvas {
    int width, height; /* cells */
    bool braille;
    unsigned char cells[DT_CANVAS_HEIGHT][DT_CANVAS_WIDTH]; /* the dots of each, as Unicode numbers them */
} dt_canvas;

void dt_canvas_clear(dt_canvas *canvas, int width, int height, bool braille);
/* Dots across and down. */
int dt_canvas_columns(const dt_canvas *canvas);
int dt_canvas_rows(const dt_canvas *canvas);
/* A line from dot to dot, row 0 at the top; what is outside is not drawn. */
void dt_canvas_line(dt_canvas *canvas, int x0, int y0, int x1, int y1);
/* The cells of a row, the last blank ones too. */
void dt_canvas_print(const dt_canvas *canvas, int row, FILE *to);

#endif
