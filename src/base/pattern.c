/* Patterns of names, in a time of at most their lengths' product, whatever a stranger's pattern is like: of several *
 * the last one that was met is all that is ever gone back to. */
#include "base/pattern.h"

#include <stddef.h>

bool dt_pattern_fits(const char *pattern, const char *name) {
    const char *again = NULL, *from = NULL; /* behind the last *, and where in the name it was tried last */
    for (;;) {
        if (*pattern == '*') {
            again = ++pattern;
            from = name;
        } else if (*pattern == '\0' && (*name == '\0' || *name == '/')) {
            return true;
        } else if (*name != '\0' && (*pattern == '?' || *pattern == *name)) {
            pattern++;
            name++;
        } else if (again && *from != '\0') {
            pattern = again;
            name = ++from;
        } else {
            return false;
        }
    }
}
