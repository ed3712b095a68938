/* Where the values of a dataset lie, for the files of this room that know HDF5. */
#ifndef DTRAIN_H5_SOURCES_H
#define DTRAIN_H5_SOURCES_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/h5.h"

/* Access to datasets that follows no link into another file, and finds the sources of a virtual dataset in `directory`
 * before anywhere else; *met tells that there was a link on the way. To be closed. */
hid_t dt_h5_access(bool *met, const char *directory);
/* Whether there is such an object; an access that met a link says no. */
bool dt_h5_exists(hid_t file, const char *object, hid_t access);

/* A dataset on the way from the one that was asked for to a source of its sources. */
typedef struct dt_h5_place {
    const char *path, *directory, *dataset; /* the dataset that was asked for, for messages */
    hid_t file, id;
    const struct dt_h5_place *outer;
    int depth;
    H5O_info_t object;
} dt_h5_place;

/* What is found out on the way. */
typedef struct dt_h5_survey {
    /* Of a dataset that is not virtual; NULL: nothing is asked of it. */
    dt_status (*check)(const dt_h5_place *at, struct dt_h5_survey *found);
    uint64_t stored; /* bytes in files */
} dt_h5_survey;

/* Visits the dataset, or where it is virtual all of its sources, at any depth. */
dt_status dt_h5_visit_sources(const char *path, const char *directory, hid_t file, const char *dataset, hid_t id,
                              dt_h5_survey *found);
/* A name as messages show it. Returns out. */
const char *dt_h5_shown(char out[80], const char *name);

/* That a dataset keeps its values where we read them: in no external storage, and, where it is virtual, in sources that
 * are there, beside the file, and themselves keep to these rules. `path` is of the file, `directory` the one that it is
 * in. */
dt_status dt_h5_check_sources(const char *path, const char *directory, hid_t file, const char *dataset, hid_t id);
/* That a dataset's values are there and can be had: its filters are known, everything was written (also in the sources
 * of a virtual one), and what it claims to be could be packed in what it stores. After dt_h5_check_sources. */
dt_status dt_h5_check_stored(const char *path, const char *directory, hid_t file, const char *dataset, hid_t id);

/* Of one chunk, unpacked; 0 where there are none. */
uint64_t dt_h5_chunk_bytes(hid_t id);

#endif
