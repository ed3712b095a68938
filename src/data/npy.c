/* The header of an array is the text of a Python dictionary; of Python only what NumPy writes there is read. Nothing is
 * believed: sizes are checked against the file before space is reserved for them. */
#include "npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define MOST_HEADER ((size_t)1 << 16) /* that of a structure may be long, but is refused anyway */
#define MOST_VALUES ((int64_t)1 << 56)

/* ---- Python's notation ---- */

typedef struct parser {
    const char *at, *name;
} parser;

static dt_status fail_header(const parser *p, const char *what) {
    return dt_fail(DT_ERR_CORRUPT, "%s: the header of the array is damaged: %s at \"%.30s\"", p->name, what, p->at);
}

static void skip_spaces(parser *p) {
    p->at += strspn(p->at, " \t\r\n");
}

static bool take(parser *p, char c) {
    skip_spaces(p);
    bool there = *p->at == c;
    p->at += there;
    return there;
}

static dt_status take_text(parser *p, char *out, size_t size) {
    skip_spaces(p);
    char quote = *p->at;
    const char *end = quote == '\'' || quote == '"' ? strchr(p->at + 1, quote) : NULL;
    if (!end || (size_t)(end - p->at) > size) return fail_header(p, "no name");
    memcpy(out, p->at + 1, (size_t)(end - p->at) - 1);
    out[end - p->at - 1] = '\0';
    p->at = end + 1;
    return dt_ok();
}

static dt_status take_shape(parser *p, dt_shape *shape) {
    if (!take(p, '(')) return fail_header(p, "no shape");
    for (shape->rank = 0; !take(p, ')'); shape->rank++) {
        skip_spaces(p);
        char *end;
        errno = 0;
        long long size = strtoll(p->at, &end, 10);
        if (end == p->at || errno || size < 0) return fail_header(p, "no dimension");
        if (shape->rank == DT_MAX_RANK)
            return dt_fail(DT_ERR_INPUT, "%s: the array has more than %d dimensions", p->name, DT_MAX_RANK);
        shape->dim[shape->rank] = size;
        p->at = end + (*end == 'L'); /* as Python 2 wrote them */
        if (!take(p, ',') && (skip_spaces(p), *p->at != ')')) return fail_header(p, "no end of the shape");
    }
    return dt_ok();
}

/* ---- types ---- */

static dt_status fail_type(const dt_npy_source *source, const char *descr) {
    static const struct {
        char kind;
        const char *what;
    } kinds[] = {
        {'O', "Python objects, kept as a pickle, which is a program: save numbers, as with x.astype(\"float32\")"},
        {'U', "texts: of labels, save the numbers that numpy.unique(y, return_inverse=True) gives"},
        {'S', "texts: of labels, save the numbers that numpy.unique(y, return_inverse=True) gives"},
        {'c', "complex numbers: save real and imaginary parts side by side"},
        {'M', "dates: save what matters of them as numbers"},
        {'m', "durations: save them as numbers, as with x / numpy.timedelta64(1, \"s\")"},
        {'V', "raw bytes or structures: save each field as an array of its own"},
        {'[', "a structure: save each field as an array of its own"},
        {'f', "floats of more than 64 bits: save x.astype(\"float64\")"},
    };
    const char *kind = descr + strspn(descr, "<>=|");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (*kind == kinds[i].kind)
            return dt_fail(DT_ERR_INPUT, "%s: the array's type is %.60s, %s", source->name, descr, kinds[i].what);
    return dt_fail(DT_ERR_INPUT, "%s: the array has the type %.60s, which is not known", source->name, descr);
}

static dt_status take_type(dt_npy *out, const dt_npy_source *source, const char *descr) {
    static const struct {
        const char *code;
        dt_dtype dtype;
    } types[] = {{"b1", DT_U8},  {"u1", DT_U8},  {"i1", DT_I8},  {"u2", DT_U16}, {"i2", DT_I16}, {"u4", DT_U32},
                 {"i4", DT_I32}, {"u8", DT_U64}, {"i8", DT_I64}, {"f2", DT_F32}, {"f4", DT_F32}, {"f8", DT_F64}};
    const char *code = descr + (*descr && strchr("<>=|", *descr));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(code, types[i].code) != 0) continue;
        out->dtype = types[i].dtype;
        out->item = (size_t)(code[1] - '0');
        out->half = strcmp(code, "f2") == 0;
        out->swapped = *descr == '>' && out->item > 1;
        return dt_ok();
    }
    return fail_type(source, descr);
}

/* ---- the header ---- */

static dt_status take_entry(parser *p, dt_npy *out, const dt_npy_source *source, int *seen) {
    char key[32] = "", descr[64] = "";
    DT_TRY(take_text(p, key, sizeof key));
    if (!take(p, ':')) return fail_header(p, "no value");
    skip_spaces(p);
    if (strcmp(key, "descr") == 0) {
        *seen |= 1;
        if (*p->at == '[') return fail_type(source, p->at);
        DT_TRY(take_text(p, descr, sizeof descr));
        return take_type(out, source, descr);
    }
    if (strcmp(key, "fortran_order") == 0) {
        *seen |= 2;
        out->fortran = strncmp(p->at, "True", 4) == 0;
        if (!out->fortran && strncmp(p->at, "False", 5) != 0) return fail_header(p, "neither True nor False");
        p->at += out->fortran ? 4 : 5;
        return dt_ok();
    }
    if (strcmp(key, "shape") != 0) return fail_header(p, "an unknown entry");
    *seen |= 4;
    return take_shape(p, &out->shape);
}

static dt_status parse_header(dt_npy *out, const dt_npy_source *source, const char *text) {
    parser p = {text, source->name};
    int seen = 0;
    if (!take(&p, '{')) return fail_header(&p, "no dictionary");
    while (!take(&p, '}')) {
        DT_TRY(take_entry(&p, out, source, &seen));
        if (!take(&p, ',') && (skip_spaces(&p), *p.at != '}')) return fail_header(&p, "no end of an entry");
    }
    skip_spaces(&p);
    if (*p.at) return fail_header(&p, "more than a dictionary");
    return seen == 7 ? dt_ok() : fail_header(&p, "descr, fortran_order or shape is missing");
}

static dt_status check_size(const dt_npy *npy, const dt_npy_source *source) {
    char shape[96];
    size_t values = 1;
    dt_shape_text(&npy->shape, shape);
    if (npy->shape.rank == 0)
        return dt_fail(DT_ERR_INPUT, "%s: the array is a single value; expected one row per sample", source->name);
    for (int i = 0; i < npy->shape.rank; i++) {
        if (npy->shape.dim[i] == 0)
            return dt_fail(DT_ERR_INPUT, "%s: the array is empty (shape %s)", source->name, shape);
        if (!dt_size_mul(values, (size_t)npy->shape.dim[i], &values) || values > MOST_VALUES)
            return dt_fail(DT_ERR_CORRUPT, "%s: the array has an impossible shape, %s", source->name, shape);
    }
    int64_t claimed = (int64_t)(values * npy->item), there = source->bytes - npy->begin;
    if (claimed == there) return dt_ok();
    return dt_fail(
        DT_ERR_CORRUPT,
        "%s: %lld bytes too %s: its header says %s of %zu bytes each, %lld bytes of data, but there are %lld",
        source->name, (long long)(claimed > there ? claimed - there : there - claimed),
        claimed > there ? "short" : "long", shape, npy->item, (long long)claimed, (long long)there);
}

static dt_status read_exactly(const dt_npy_source *source, void *out, size_t want) {
    size_t got;
    DT_TRY(source->read(source->context, out, want, &got));
    return got == want ? dt_ok() : dt_fail(DT_ERR_CORRUPT, "%s: the file ends inside the array's header", source->name);
}

dt_status dt_npy_open(dt_npy *out, const dt_npy_source *source) {
    unsigned char begin[12] = {0};
    *out = (dt_npy){0};
    size_t got;
    DT_TRY(source->read(source->context, begin, 8, &got));
    if (got < 8 || memcmp(begin, "\x93NUMPY", 6) != 0)
        return dt_fail(DT_ERR_CORRUPT, "%s: is no array of NumPy%s", source->name,
                       got > 1 && begin[0] == 0x80 && begin[1] < 6 ? " but a pickle, which is a program" : "");
    if (begin[6] < 1 || begin[6] > 3 || begin[7] != 0)
        return dt_fail(DT_ERR_INPUT, "%s: the array is of version %d.%d of NumPy's format; 1.0 to 3.0 are known",
                       source->name, begin[6], begin[7]);
    size_t width = begin[6] == 1 ? 2 : 4;
    DT_TRY(read_exactly(source, begin + 8, width));
    size_t length = begin[8] | (size_t)begin[9] << 8 | (size_t)begin[10] << 16 | (size_t)begin[11] << 24;
    if (length > MOST_HEADER)
        return dt_fail(DT_ERR_CORRUPT, "%s: the array's header is of %zu bytes; at most %zu are read", source->name,
                       length, MOST_HEADER);
    char *text = dt_alloc(length + 1, 1);
    if (!text) return dt_fail_memory("an array's header", length);
    dt_status status = read_exactly(source, text, length);
    if (status.code == DT_OK && memchr(text, '\0', length))
        status = dt_fail(DT_ERR_CORRUPT, "%s: the header of the array is damaged: it has a NUL", source->name);
    if (status.code == DT_OK) status = parse_header(out, source, text);
    dt_free(text);
    out->begin = (int64_t)(8 + width + length);
    return status.code == DT_OK ? check_size(out, source) : status;
}
