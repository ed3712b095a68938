/* NumPy's archives: ZIP files whose members are arrays (npy.h). */
#ifndef DTRAIN_NPZ_READ_H
#define DTRAIN_NPZ_READ_H

#include "npy.h"

typedef struct dt_npz dt_npz;

/* `path` must stay. */
dt_status dt_npz_open(dt_npz **out, const char *path);
void dt_npz_close(dt_npz *npz); /* accepts NULL */
int64_t dt_npz_count(const dt_npz *npz);
/* The array's name, that of the member without ".npy". */
const char *dt_npz_name(const dt_npz *npz, int64_t i);
/* A member from its beginning, in the place of the one that was read before; what it says of itself is of the archive.
 * A member that could not be packed into what the archive has of it is refused. */
dt_status dt_npz_member(dt_npz *npz, int64_t i, dt_npy_source *out);
/* That the member ends here, and has the checksum that the archive says. */
dt_status dt_npz_check_end(dt_npz *npz);

#endif
