/* A file with a data set of one split, for tests on ranks: rank 0 makes it, with the HDF5 library itself. */
#ifndef DTRAIN_TESTS_DATA_SET_H
#define DTRAIN_TESTS_DATA_SET_H

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ranks.h"

static char path[64];

static void make_path(void) {
    snprintf(path, sizeof path, "/tmp/dtrain-test-XXXXXX");
    int fd = dt_comm_rank(world) == 0 ? mkstemp(path) : -1;
    if (fd >= 0) close(fd);
    ranks_assert_ok(dt_comm_broadcast(world, path, sizeof path, 0));
}

static void remove_path(void) {
    ranks_assert_ok(dt_comm_barrier(world));
    if (dt_comm_rank(world) == 0) unlink(path);
}

/* A dataset: values of type `from` in memory, `type` in the file. */
typedef struct set_part {
    const char *name;
    hid_t type, from;
    int rank;
    hsize_t dimensions[4];
    const void *values;
} set_part;

static bool write_part(hid_t file, const set_part *part) {
    hid_t space = H5Screate_simple(part->rank, part->dimensions, NULL);
    hid_t set = H5Dcreate2(file, part->name, part->type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool good = H5Dwrite(set, part->from, H5S_ALL, H5S_ALL, H5P_DEFAULT, part->values) >= 0;
    H5Dclose(set);
    H5Sclose(space);
    return good;
}

/* The file of these alone. Collective. */
static void write_parts(const set_part *parts, int count) {
    bool good = true;
    ranks_assert_ok(dt_comm_barrier(world));
    if (dt_comm_rank(world) == 0) {
        hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        for (int i = 0; i < count; i++) good &= write_part(file, &parts[i]);
        good &= H5Fclose(file) >= 0;
    }
    ranks_assert(good);
}

static inline void write_set(const set_part *x, const set_part *y) {
    write_parts((set_part[]){*x, *y}, 2);
}

#endif
