/* Objects of one file made in another, for the files of this room that know HDF5. Both files are open here, so this is
 * a child's work where the first may be anybody's. */
#ifndef DTRAIN_H5_COPY_H
#define DTRAIN_H5_COPY_H

#include <hdf5.h>
#include <stdbool.h>

#include "store/h5.h"

/* Whether values of a type are pointers in memory; and gives back what HDF5 allocated for those that it read. */
bool dt_h5_has_pointers(hid_t type);
void dt_h5_reclaim(hid_t type, hid_t space, void *values);

/* All attributes of the object `path` of the whole, to that of this path in the part, but for references, which mean
 * nothing there. */
dt_status dt_h5_copy_attributes(const dt_h5 *whole, dt_h5 *part, const char *path);
/* A dataset with the type and the attributes of `path`, which is open as `id`, plain, and of so many rows. */
dt_status dt_h5_create_alike(const dt_h5 *whole, dt_h5 *part, const char *path, hid_t id, int64_t rows);
/* The dataset as it is. A virtual one is refused by name, for its values are elsewhere. */
dt_status dt_h5_copy_dataset(const dt_h5 *whole, dt_h5 *part, const char *path, hid_t id);

#endif
