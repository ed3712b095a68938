/* Packed values of netCDF: a number in the file times scale_factor plus add_offset is the value (CF conventions 1.11,
 * section 8.1; NetCDF Users Guide, appendix A). */
#ifndef DTRAIN_H5_PACKING_H
#define DTRAIN_H5_PACKING_H

#include <hdf5.h>

#include "h5_element.h"
#include "store/h5.h"

#define DT_H5_MOST_FILLS 8

typedef struct dt_h5_packing {
    bool is_packed; /* or some numbers stand for no value */
    double scale, offset;
    int fills;
    double fill[DT_H5_MOST_FILLS]; /* numbers in the file that stand for no value */
    dt_dtype dtype;                /* of the values: float32 or float64 */
} dt_h5_packing;

/* Of the dataset `id`, called so in messages. What cannot be applied is refused by its name. */
dt_status dt_h5_packing_read(dt_h5_packing *out, const dt_h5 *file, const char *dataset, hid_t id,
                             const dt_h5_element *element);

/* The value of a number in the file; NaN for one that stands for none. */
double dt_h5_unpacked(const dt_h5_packing *packing, double number);

#endif
