/* An open file, for the files of this room that know HDF5. */
#ifndef DTRAIN_H5_INTERNAL_H
#define DTRAIN_H5_INTERNAL_H

#include <hdf5.h>
#include <limits.h>
#include <stdbool.h>

#include "store/h5.h"

struct dt_h5 {
    hid_t file;
    char path[PATH_MAX],
        directory[PATH_MAX]; /* the directory: of the file itself, whatever links lead to it; "" unless it is read */
    bool lent;               /* HDF5 has another owner in this process, whose way to print errors this is */
    H5E_auto2_t print;
    void *print_context;
};

/* A failure of the call before, with the innermost reason HDF5 gives, or the system's where it has one. */
dt_status dt_h5_fail(const dt_h5 *file, const char *object, const char *what);
/* A list of properties for links: groups on the way are made. To be closed. */
hid_t dt_h5_parents_made(void);
dt_status dt_h5_open_dataset(dt_h5 *file, const char *dataset, hid_t *out);
/* Of the open dataset `id`; `dataset` is for messages. */
dt_status dt_h5_shape_of(const dt_h5 *file, const char *dataset, hid_t id, dt_shape *out);

/* The members of an enumeration's type, as dt_h5_members shows them; none of any other type. */
void dt_h5_show_members(hid_t type, dt_h5_member show, void *context);

#endif
