/* Of many rows those that a plot needs: rows fall into buckets of equal numbers of rows, and of each bucket the rows
 * with the least and the most of one figure stay, whole and as they were. So no peak is lost, and what is shown are
 * rows of the run. Buckets are joined by twos when there are too many: memory is bounded, and rows come one at a time.
 */
#ifndef DTRAIN_THIN_H
#define DTRAIN_THIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dt_thin dt_thin;

/* For rows of `width` numbers, of which number `key` is the figure whose extremes stay. At most `buckets` of them are
 * left, an even number, and more than half as many once there were that many rows. */
dt_status dt_thin_create(dt_thin **out, int width, int key, int buckets);
/* Accepts NULL. */
void dt_thin_destroy(dt_thin *thin);
void dt_thin_clear(dt_thin *thin);
/* row[width]; one whose figure is no number does not count. An infinite one does. */
void dt_thin_add(dt_thin *thin, const double *row);
/* Rows that counted. */
int64_t dt_thin_rows(const dt_thin *thin);
/* The last one; NULL before there is any. Until the next row is added. */
const double *dt_thin_last(const dt_thin *thin);
/* Calls give(context, row) for the rows that are left, in their order, the first and the last of all among them; all
 * rows while there are no more than `buckets`. Returns how many; give may be NULL. */
int64_t dt_thin_each(const dt_thin *thin, void (*give)(void *context, const double *row), void *context);

#endif
