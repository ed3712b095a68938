/* JSON objects without depth, a line each, as the files of a run have them: {"key":value,…} where a value is a number,
 * a text, true, false or null. Whatever else a line is, it is refused. */
#ifndef DTRAIN_FLAT_H
#define DTRAIN_FLAT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum dt_flat_kind { DT_FLAT_NULL, DT_FLAT_NUMBER, DT_FLAT_TEXT, DT_FLAT_BOOL } dt_flat_kind;

typedef struct dt_flat {
    dt_flat_kind kind;
    const char *key;  /* ended by a 0, unescaped, as is text; in the line, which is changed for it */
    const char *text; /* of a text */
    double number;    /* of a number; 1 and 0 of true and false; NaN of anything else */
} dt_flat;

/* Where a line is read. */
typedef struct dt_flat_line {
    char *at; /* NULL: at its end, or it is no such object */
    bool good;
} dt_flat_line;

/* Begins with the object that is the whole of `line`, ended by a 0. */
void dt_flat_begin(dt_flat_line *line, char *text);
/* The next pair; false when there are no more. line->good says then whether that was the end of a whole object. */
bool dt_flat_next(dt_flat_line *line, dt_flat *pair);

#endif
