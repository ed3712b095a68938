/* Reading strings. They come a few thousand rows at a time, those of variable length into memory of one size: a text
 * may claim to be of any length, and is refused when HDF5 asks for the memory. */
#include "h5_strings.h"

#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/memory.h"
#include "h5_internal.h"
#include "store/h5_rows.h"

#define ROWS_AT_ONCE ((int64_t)4096)
#define BOX_BYTES ((size_t)8 << 20)
#define ROOM_OF(text) (((text) + 8) / 8 * 8)

/* Memory that HDF5 takes for strings of variable length, all of it given back at once. */
typedef struct room {
    char *bytes;
    size_t size, used, asked; /* asked: for one text, in vain */
} room;

typedef struct reading {
    const dt_h5_view *view;
    hid_t list; /* of properties for the transfer */
    room room;
    char *box;
    int64_t at_once; /* rows */
} reading;

static void *take_room(size_t size, void *context) {
    room *r = context;
    size_t wanted = ROOM_OF(size);
    if (size > DT_H5_TEXT_BYTES + 1 || wanted > r->size - r->used) {
        r->asked = size;
        return NULL;
    }
    r->used += wanted;
    return r->bytes + r->used - wanted;
}

static void give_back(void *memory, void *context) {
    (void)memory, (void)context;
}

static size_t row_bytes(const dt_h5_view *v) {
    return v->chars > 0 ? (size_t)v->chars : v->element.bytes;
}

static int64_t rows_at_once(const dt_h5_view *v) {
    size_t fit = BOX_BYTES / row_bytes(v);
    return fit < 1 ? 1 : fit < (size_t)ROWS_AT_ONCE ? (int64_t)fit : ROWS_AT_ONCE;
}

static size_t room_bytes(const dt_h5_view *v) {
    return v->element.text == DT_H5_VARIABLE ? (size_t)rows_at_once(v) * ROOM_OF(DT_H5_TEXT_BYTES + 1) : 0;
}

size_t dt_h5_strings_memory(const dt_h5_view *v) {
    return (size_t)rows_at_once(v) * row_bytes(v) + room_bytes(v);
}

static dt_status begin(reading *r, const dt_h5_view *v) {
    *r = (reading){.view = v, .list = H5P_DEFAULT, .at_once = rows_at_once(v)};
    r->room.size = room_bytes(v);
    r->box = dt_alloc((size_t)r->at_once, row_bytes(v));
    r->room.bytes = r->room.size > 0 ? dt_alloc(r->room.size, 1) : NULL;
    if (!r->box || (r->room.size > 0 && !r->room.bytes))
        return dt_fail_memory("the texts of a dataset", dt_h5_strings_memory(v));
    if (r->room.size == 0) return dt_ok();
    r->list = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_vlen_mem_manager(r->list, take_room, &r->room, give_back, NULL);
    return dt_ok();
}

static void finish(reading *r) {
    dt_free(r->box);
    dt_free(r->room.bytes);
    if (r->list != H5P_DEFAULT) H5Pclose(r->list);
}

/* ---- one text ---- */

static dt_status fail_length(const dt_h5_view *v, int64_t row, size_t length) {
    return dt_fail(DT_ERR_INPUT, "%s: %s row %lld has a text of %zu bytes; labels and groups have %d at most",
                   v->file->path, v->choices.text, (long long)row, length, DT_H5_TEXT_BYTES);
}

static dt_status check_text(const dt_h5_view *v, int64_t row, const char *bytes, size_t length) {
    if (length > DT_H5_TEXT_BYTES) return fail_length(v, row, length);
    uint32_t point;
    for (size_t at = 0; at < length;) {
        int taken = dt_utf8_take((const uint8_t *)bytes + at, length - at, &point);
        if (taken > 0 && bytes[at]) {
            at += (size_t)taken;
            continue;
        }
        char shown[160], said[100];
        dt_escape(shown, sizeof shown, bytes, length < 32 ? length : 32, false);
        dt_escape_name(said, sizeof said, shown);
        return dt_fail(DT_ERR_INPUT, "%s: %s row %lld is \"%s\", which %s; write it as UTF-8 text", v->file->path,
                       v->choices.text, (long long)row, said, bytes[at] ? "is no UTF-8" : "has a 0 in it");
    }
    return dt_ok();
}

/* Where the text of a row of the box is, and how long; padding is no part of it. */
static size_t find_text(const dt_h5_view *v, const char *element, const char **bytes) {
    const dt_h5_element *e = &v->element;
    if (e->text == DT_H5_VARIABLE) {
        memcpy(bytes, element + e->leaves[0].offset, sizeof *bytes);
        if (!*bytes) *bytes = "";
        return strlen(*bytes);
    }
    *bytes = v->chars > 0 ? element : element + e->leaves[0].offset;
    size_t length = v->chars > 0 ? (size_t)v->chars : e->text_bytes;
    if (e->text == DT_H5_ENDED && v->chars == 0) return strnlen(*bytes, length);
    while (length > 0 && (*bytes)[length - 1] == '\0') length--;
    if (e->text == DT_H5_SPACES || v->chars > 0)
        while (length > 0 && ((*bytes)[length - 1] == ' ')) length--;
    return length;
}

/* ---- rows ---- */

/* HDF5 says no more than that it failed: which text was too long is found by reading one at a time. */
static dt_status fail_reading(reading *r, int64_t first, int64_t count) {
    hsize_t block[H5S_MAX_RANK];
    dt_status status = dt_h5_fail(r->view->file, r->view->choices.text, "reading");
    if (r->room.asked == 0) return status;
    for (int64_t row = first; row < first + count; row++) {
        r->room.used = r->room.asked = 0;
        dt_status one = dt_h5_view_box(r->view, row, 1, block, r->list, r->box);
        if (one.code != DT_OK && r->room.asked > 0) return fail_length(r->view, row, r->room.asked - 1);
        if (one.code != DT_OK) break;
    }
    return status;
}

static dt_status read_box(reading *r, int64_t first, int64_t count) {
    hsize_t block[H5S_MAX_RANK];
    r->room.used = r->room.asked = 0;
    dt_status status = dt_h5_view_box(r->view, first, count, block, r->list, r->box);
    return status.code == DT_OK ? status : fail_reading(r, first, count);
}

/* What is done with a text. */
typedef dt_status (*text_taker)(void *context, int64_t row, const char *bytes, size_t length);

static dt_status each_text(const dt_h5_view *v, int64_t first, int64_t count, text_taker take, void *context) {
    reading r;
    dt_status status = begin(&r, v);
    for (int64_t done = 0; done < count && status.code == DT_OK; done += r.at_once) {
        int64_t now = count - done < r.at_once ? count - done : r.at_once;
        status = read_box(&r, first + done, now);
        for (int64_t i = 0; i < now && status.code == DT_OK; i++) {
            const char *bytes;
            size_t length = find_text(v, r.box + (size_t)i * row_bytes(v), &bytes);
            status = check_text(v, first + done + i, bytes, length);
            if (status.code == DT_OK) status = take(context, first + done + i, bytes, length);
        }
    }
    finish(&r);
    return status;
}

typedef struct adding {
    const dt_h5_view *view;
    dt_h5_texts *texts;
} adding;

static dt_status add_text(void *context, int64_t row, const char *bytes, size_t length) {
    const adding *a = context;
    if (dt_h5_texts_add(a->texts, bytes, length)) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "%s: %s row %lld is the text beyond %d different ones of %d MB, the most that labels or groups may "
                   "have; numbers may be any",
                   a->view->file->path, a->view->choices.text, (long long)row, dt_h5_texts_count(a->texts),
                   (int)(DT_H5_MOST_TEXT_BYTES >> 20));
}

dt_status dt_h5_strings_add(const dt_h5_view *v, dt_h5_texts *texts) {
    return each_text(v, 0, v->part.rows, add_text, &(adding){v, texts});
}

typedef struct numbering {
    const dt_h5_view *view;
    const dt_h5_texts *texts;
    int64_t first;
    int32_t *out;
} numbering;

static dt_status number_text(void *context, int64_t row, const char *bytes, size_t length) {
    const numbering *n = context;
    int32_t number = dt_h5_texts_find(n->texts, bytes, length);
    n->out[row - n->first] = number;
    return number >= 0 ? dt_ok()
                       : dt_fail(DT_ERR_CORRUPT, "%s: %s was changed while it was read", n->view->file->path,
                                 n->view->choices.text);
}

dt_status dt_h5_strings_read(const dt_h5_view *v, const dt_h5_texts *texts, int64_t first, int64_t count,
                             int32_t *out) {
    return each_text(v, first, count, number_text, &(numbering){v, texts, first, out});
}
