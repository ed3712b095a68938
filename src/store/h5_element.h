/* What one element of a dataset is: a number, an array of numbers, or a compound of which some fields are wanted. */
#ifndef DTRAIN_H5_ELEMENT_H
#define DTRAIN_H5_ELEMENT_H

#include <hdf5.h>

#include "h5_choice.h"
#include "store/h5.h"

/* A number of an element. */
typedef struct dt_h5_leaf {
    size_t offset; /* in the element, as HDF5 is asked for it */
    dt_dtype dtype;
} dt_h5_leaf;

/* How a string ends. */
typedef enum dt_h5_text { DT_H5_NO_TEXT, DT_H5_VARIABLE, DT_H5_ENDED, DT_H5_ZEROS, DT_H5_SPACES } dt_h5_text;

typedef struct dt_h5_element {
    hid_t memory; /* the type that HDF5 is asked for */
    size_t bytes; /* of that */
    int64_t count;
    dt_h5_leaf *leaves; /* [count], in the order they are wanted in */
    dt_shape shape;     /* of these: rank 0 is one number, nothing else */
    dt_dtype dtype;     /* that holds them all */
    hid_t only;         /* the stored type, where all of them have one; else invalid */
    bool native;        /* it is one number, and lies in the file as it does in memory */
    dt_h5_text text;    /* it is one string instead, at its one leaf's offset */
    size_t text_bytes;  /* of that, with its padding; not of one of variable length */
} dt_h5_element;

/* Of values of type `stored`; `texts`: one string is welcome, too. To be closed, also after a failure. */
dt_status dt_h5_element_open(dt_h5_element *out, const dt_h5 *file, hid_t stored, const dt_h5_choices *choices,
                             bool texts);
void dt_h5_element_close(dt_h5_element *element);

/* The number format that holds the numbers of both, by NumPy's rules. */
dt_dtype dt_h5_promoted(dt_dtype a, dt_dtype b);

#endif
