/* Patterns of names. */
#ifndef DTRAIN_PATTERN_H
#define DTRAIN_PATTERN_H

#include <stdbool.h>

/* Whether `name` fits: * stands for any characters, / among them, and ? for one. A pattern also fits what lies below
 * the names it fits: "block1" and "block*" fit "block1/dense1/w". */
bool dt_pattern_fits(const char *pattern, const char *name);

#endif
