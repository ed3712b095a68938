/* Number formats of HDF5's types, for the files of this room that know HDF5. */
#ifndef DTRAIN_H5_TYPES_H
#define DTRAIN_H5_TYPES_H

#include <hdf5.h>
#include <stdbool.h>

#include "base/table.h"

/* The type of `dtype` in memory. */
hid_t dt_h5_memory_type(dt_dtype dtype);
/* The number format that holds every value of a stored type; false when there is none. */
bool dt_h5_dtype_of(hid_t stored, dt_dtype *dtype);
/* Whether values of a stored type lie in the file as `dtype` lies in memory. */
bool dt_h5_is_native(hid_t stored, dt_dtype dtype);
/* What HDF5 is to be asked for, to read values of a stored type as `dtype`. Borrowed. */
hid_t dt_h5_reading_type(hid_t stored, dt_dtype dtype);
/* What a stored type without a number format is, for messages. */
const char *dt_h5_class_name(hid_t stored);

#endif
