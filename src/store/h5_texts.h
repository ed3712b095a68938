/* The different texts of a dataset of strings, and the number each stands for: its place in the order of their bytes,
 * so the same texts have the same numbers whatever rows they are in. */
#ifndef DTRAIN_H5_TEXTS_H
#define DTRAIN_H5_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dt_h5_texts dt_h5_texts;

dt_status dt_h5_texts_create(dt_h5_texts **out);
void dt_h5_texts_destroy(dt_h5_texts *texts); /* accepts NULL */
/* Takes a text in, if it is not yet there; false where it would be one too many (DT_H5_MOST_TEXTS, h5_rows.h) or memory
 * is short. */
bool dt_h5_texts_add(dt_h5_texts *texts, const char *bytes, size_t length);
/* Gives them their numbers. No more may be added. */
dt_status dt_h5_texts_sort(dt_h5_texts *texts);
int32_t dt_h5_texts_count(const dt_h5_texts *texts);
/* -1: it is none of them. */
int32_t dt_h5_texts_find(const dt_h5_texts *texts, const char *bytes, size_t length);
const char *dt_h5_texts_at(const dt_h5_texts *texts, int32_t number);

#endif
