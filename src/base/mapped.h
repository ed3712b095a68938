/* Which file a piece of memory is. A mapped file that becomes shorter while it is read, or whose disk fails, is a bus
 * error at whatever instruction reads it; by this the signal's handler can say which file that was. */
#ifndef DTRAIN_MAPPED_H
#define DTRAIN_MAPPED_H

#include <stddef.h>

/* `bytes` at `begin` are of `file`, from here on. Where there is no room left to note it nothing is noted. */
void dt_mapped_add(const void *begin, size_t bytes, const char *file);
void dt_mapped_remove(const void *begin);

/* The file's name, escaped, or NULL. May be called in a signal handler. */
const char *dt_mapped_file(const void *address);

#endif
