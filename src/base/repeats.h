/* Warnings that come again and again, in a job of days: of a kind the first few are shown, then the tenth, the
 * hundredth and so on, and how many were not is said at the end. Two are of a kind when they differ in numbers alone.
 */
#ifndef DTRAIN_REPEATS_H
#define DTRAIN_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

#define DT_REPEATS_SHOWN 3

/* Whether two texts are of a kind. */
bool dt_repeats_alike(const char *a, const char *b);

/* Counts a warning; *count of its kind so far, this one included. Whether it is to be shown. Any thread. */
bool dt_repeats_take(const char *text, int64_t *count);
/* Calls say(count, text) for each kind that was not always shown since the last call: how many were not, and its last
 * one. */
void dt_repeats_tell(void (*say)(int64_t count, const char *text));

#endif
