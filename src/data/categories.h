/* The different texts of a column, and the number each stands for. */
#ifndef DTRAIN_CATEGORIES_H
#define DTRAIN_CATEGORIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A column with more is refused. */
#define DT_MOST_CATEGORIES 65536

typedef struct dt_categories dt_categories;

dt_status dt_categories_create(dt_categories **out);
void dt_categories_destroy(dt_categories *categories); /* accepts NULL */
/* Takes a text in, if it is not yet there. Beyond DT_MOST_CATEGORIES: left out, and dt_categories_count is one more. */
dt_status dt_categories_add(dt_categories *categories, const char *text);
int32_t dt_categories_count(const dt_categories *categories);
/* From here on numbers are by order: that of numbers where all texts are, else of bytes. No more may be added. */
dt_status dt_categories_sort(dt_categories *categories);
/* The number of a text; -1: it is none of them. */
int32_t dt_categories_find(const dt_categories *categories, const char *text);
const char *dt_categories_text(const dt_categories *categories, int32_t number);

#endif
