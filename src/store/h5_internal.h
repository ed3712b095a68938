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
    hid_t held;              /* an object that stays open (dt_h5_hold), and its name; below 0: none */
    char held_name[256];
    hid_t access;   /* how its datasets are opened (dt_h5_access); below 0: not made yet */
    bool elsewhere; /* a link to another file was met */
    bool lent;      /* HDF5 has another owner in this process, whose way to print errors this is */
    H5E_auto2_t print;
    void *print_context;
};

/* A failure of the call before, with the innermost reason HDF5 gives, or the system's where it has one. */
dt_status dt_h5_fail(const dt_h5 *file, const char *object, const char *what);
/* A list of properties for links: groups on the way are made. To be closed. */
hid_t dt_h5_parents_made(void);
dt_status dt_h5_open_dataset(dt_h5 *file, const char *dataset, hid_t *out);
/* The list of properties that datasets are opened with; the file's. `elsewhere` is false again. */
hid_t dt_h5_careful(dt_h5 *file);
/* The open dataset `id` is held from now on, and no longer the caller's to close. */
void dt_h5_take(dt_h5 *file, const char *dataset, hid_t id);
/* Where to look for an object, and by which name from there: the one that is held is near. */
hid_t dt_h5_locate(const dt_h5 *file, const char **object);
/* Of the open dataset `id`; `dataset` is for messages. */
dt_status dt_h5_shape_of(const dt_h5 *file, const char *dataset, hid_t id, dt_shape *out);

/* The members of an enumeration's type, as dt_h5_members shows them; none of any other type. */
void dt_h5_show_members(hid_t type, dt_h5_member show, void *context);

#endif
