/* What the fuzz targets share. A target is a file that defines LLVMFuzzerTestOneInput; with driver.c it is a program of
 * its own on any compiler, with clang's -fsanitize=fuzzer it is one of libFuzzer. A target says that something is wrong
 * by abort(); the sanitizers find the rest. */
#ifndef DTRAIN_TESTS_FUZZ_H
#define DTRAIN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input of several files has this between them, so that a corpus can be read and written by hand. */
#define FUZZ_BETWEEN "\n%%%%\n"

/* The next file of an input: its bytes, and *data and *size move behind it. */
static inline const uint8_t *fuzz_next(const uint8_t **data, size_t *size, size_t *part) {
    const uint8_t *begin = *data;
    const size_t mark = sizeof FUZZ_BETWEEN - 1;
    const uint8_t *end = *size >= mark ? memmem(begin, *size, FUZZ_BETWEEN, mark) : NULL;
    *part = end ? (size_t)(end - begin) : *size;
    size_t used = end ? *part + mark : *size;
    *data += used;
    *size -= used;
    return begin;
}

/* Writes a file in the working directory, which is the fuzzer's own. */
static inline void fuzz_write(const char *path, const uint8_t *data, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
}

/* A failure says what is wrong. (What files say is escaped where it is printed.) */
static inline void fuzz_check(dt_status status) {
    if (status.code == DT_OK) return;
    if (!status.message[0] || memchr(status.message, '\0', sizeof status.message) == NULL) abort();
}

#endif
