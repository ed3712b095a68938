/* What was never written HDF5 reads as zeros, and it says nothing of a source that is missing: both are refused, for a
 * network trains on zeros in silence. A fill value that somebody set stands for values, in chunks that are missing;
 * what has no chunk at all was never written. */
#include <string.h>

#include "base/escape.h"
#include "h5_sources.h"

#define SMALL ((uint64_t)64 << 20) /* bytes that may be claimed by anything */

static const char *known_filter(H5Z_filter_t number) {
    static const struct {
        H5Z_filter_t number;
        const char *name;
    } known[] = {{H5Z_FILTER_DEFLATE, "deflate (gzip)"},
                 {H5Z_FILTER_SZIP, "szip"},
                 {305, "lzo"},
                 {307, "bzip2"},
                 {32000, "lzf"},
                 {32001, "blosc"},
                 {32004, "lz4"},
                 {32008, "bitshuffle"},
                 {32013, "zfp"},
                 {32015, "zstd"},
                 {32017, "sz"},
                 {32019, "fpzip"},
                 {32024, "sz3"},
                 {32026, "blosc2"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].number == number) return known[i].name;
    return "";
}

static dt_status check_filters(const dt_h5_place *at, hid_t list) {
    int count = H5Pget_nfilters(list);
    for (int i = 0; i < count; i++) {
        char name[64] = "", clean[64];
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t number = H5Pget_filter2(list, (unsigned)i, &flags, &values, NULL, sizeof name, name, &config);
        if (number >= 0 && H5Zfilter_avail(number) > 0) continue;
        name[sizeof name - 1] = '\0';
        dt_escape_name(clean, sizeof clean, *name ? name : known_filter(number));
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s is packed with the filter \"%s\" (number %d), which is not at hand here; write it anew "
                       "with gzip where that filter is known: h5repack -f GZIP=4 OLD NEW",
                       at->path, at->dataset, clean, (int)number);
    }
    return dt_ok();
}

static dt_status fail_unwritten(const dt_h5_place *at) {
    return dt_fail(DT_ERR_INPUT, "%s: %s was never written: all of its values would be read as zeros", at->path,
                   at->dataset);
}

/* Chunks that the shape of a dataset asks for; 0: none, or more than can be counted. */
static uint64_t chunks_wanted(hid_t space, hid_t list) {
    hsize_t dims[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    uint64_t wanted = 1;
    if (rank <= 0 || H5Pget_chunk(list, rank, chunk) != rank) return 0;
    for (int i = 0; i < rank; i++)
        if (chunk[i] == 0 || __builtin_mul_overflow(wanted, (dims[i] + chunk[i] - 1) / chunk[i], &wanted)) return 0;
    return wanted;
}

static bool is_plausible(uint64_t claimed, uint64_t stored) {
    return claimed <= SMALL || claimed / DT_H5_MOST_PACKED <= stored;
}

static dt_status fail_claim(const dt_h5_place *at, const char *what, uint64_t claimed, uint64_t stored) {
    return dt_fail(DT_ERR_CORRUPT, "%s: %s claims %s%llu bytes but has %llu in the file: no compression packs as much",
                   at->path, at->dataset, what, (unsigned long long)claimed, (unsigned long long)stored);
}

static dt_status check_chunks(const dt_h5_place *at, hid_t space, hid_t list) {
    H5D_fill_value_t fill = H5D_FILL_VALUE_DEFAULT;
    hsize_t there = 0;
    uint64_t wanted = chunks_wanted(space, list);
    H5Pfill_value_defined(list, &fill);
    if (H5Dget_num_chunks(at->id, space, &there) < 0)
        return dt_fail(DT_ERR_CORRUPT, "%s: the chunks of %s cannot be counted", at->path, at->dataset);
    if (there == 0) return fail_unwritten(at);
    uint64_t bytes = dt_h5_chunk_bytes(at->id), stored = H5Dget_storage_size(at->id);
    if (!is_plausible(bytes, stored)) return fail_claim(at, "chunks of ", bytes, stored);
    if (there >= wanted || fill == H5D_FILL_VALUE_USER_DEFINED) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "%s: %s is written in part: %llu of its %llu chunks are missing and would be read as zeros (where "
                   "that is meant, give it a fill value)",
                   at->path, at->dataset, (unsigned long long)(wanted - there), (unsigned long long)wanted);
}

static dt_status check_contiguous(const dt_h5_place *at) {
    haddr_t offset = H5Dget_offset(at->id);
    hsize_t file = 0, bytes = H5Dget_storage_size(at->id), end;
    if (offset == HADDR_UNDEF) return fail_unwritten(at);
    if (H5Fget_filesize(at->file, &file) < 0 || __builtin_add_overflow(offset, bytes, &end) || end > file)
        return dt_fail(DT_ERR_CORRUPT, "%s: %s lies beyond the end of the file (%llu bytes): the file is truncated",
                       at->path, at->dataset, (unsigned long long)file);
    return dt_ok();
}

/* Of a dataset in a file. */
static dt_status check_own(const dt_h5_place *at, dt_h5_survey *found) {
    hid_t list = H5Dget_create_plist(at->id), space = H5Dget_space(at->id);
    H5D_layout_t layout = H5Pget_layout(list);
    dt_status status = check_filters(at, list);
    bool empty = H5Sget_simple_extent_npoints(space) <= 0;
    if (status.code == DT_OK && !empty && layout == H5D_CONTIGUOUS) status = check_contiguous(at);
    if (status.code == DT_OK && !empty && layout == H5D_CHUNKED) status = check_chunks(at, space, list);
    found->stored += H5Dget_storage_size(at->id);
    H5Sclose(space);
    H5Pclose(list);
    return status;
}

/* Bytes of the values. */
static uint64_t claimed_bytes(hid_t id) {
    hid_t space = H5Dget_space(id), type = H5Dget_type(id);
    hssize_t values = H5Sget_simple_extent_npoints(space);
    uint64_t bytes = 0;
    if (values < 0 || __builtin_mul_overflow((uint64_t)values, H5Tget_size(type), &bytes)) bytes = UINT64_MAX;
    H5Tclose(type);
    H5Sclose(space);
    return bytes;
}

uint64_t dt_h5_chunk_bytes(hid_t id) {
    hid_t list = H5Dget_create_plist(id), type = H5Dget_type(id);
    hsize_t chunk[H5S_MAX_RANK];
    int rank = H5Pget_layout(list) == H5D_CHUNKED ? H5Pget_chunk(list, H5S_MAX_RANK, chunk) : 0;
    uint64_t bytes = rank > 0 ? H5Tget_size(type) : 0;
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(bytes, chunk[i], &bytes)) bytes = UINT64_MAX;
    H5Tclose(type);
    H5Pclose(list);
    return bytes;
}

/* Of the dataset that was asked for. */
static dt_status check_claim(const dt_h5_place *at, const dt_h5_survey *found) {
    uint64_t claimed = claimed_bytes(at->id);
    return is_plausible(claimed, found->stored) ? dt_ok() : fail_claim(at, "", claimed, found->stored);
}

dt_status dt_h5_check_stored(const char *path, const char *directory, hid_t file, const char *dataset, hid_t id) {
    dt_h5_survey found = {.check = check_own};
    DT_TRY(dt_h5_visit_sources(path, directory, file, dataset, id, &found));
    char name[80];
    return check_claim(&(dt_h5_place){.path = path, .dataset = dt_h5_shown(name, dataset), .id = id}, &found);
}
