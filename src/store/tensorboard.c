#include "store/tensorboard.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#define MOST_RECORD 16384

struct dt_tensorboard {
    int fd;
    char name[64];
    uint32_t table[256]; /* of the CRC */
};

/* ---- protobuf: wire types 0 (varint), 1 (64 bits), 2 (length and bytes), 5 (32 bits) ---- */

typedef struct message {
    uint8_t bytes[MOST_RECORD];
    size_t count;
} message;

static void put_bytes(message *m, const void *bytes, size_t count) {
    if (count > sizeof m->bytes - m->count) return; /* lengths are bounded by put_scalar and MOST_NAME */
    memcpy(m->bytes + m->count, bytes, count);
    m->count += count;
}

static void put_varint(message *m, uint64_t value) {
    uint8_t byte;
    for (; value >= 128; value >>= 7) {
        byte = (uint8_t)(value | 128);
        put_bytes(m, &byte, 1);
    }
    byte = (uint8_t)value;
    put_bytes(m, &byte, 1);
}

static void put_key(message *m, unsigned field, unsigned wire) {
    put_varint(m, field << 3 | wire);
}

static void put_little(message *m, uint64_t value, int count) {
    for (int i = 0; i < count; i++, value >>= 8) put_bytes(m, &(uint8_t){(uint8_t)value}, 1);
}

static void put_double(message *m, unsigned field, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(m, field, 1);
    put_little(m, bits, 8);
}

static void put_text(message *m, unsigned field, const char *text, size_t length) {
    put_key(m, field, 2);
    put_varint(m, length);
    put_bytes(m, text, length);
}

static void put_message(message *m, unsigned field, const message *inner) {
    put_text(m, field, (const char *)inner->bytes, inner->count);
}

/* ---- records ---- */

/* CRC-32C, polynomial 0x1EDC6F41, reflected (RFC 3720, appendix B.4). */
static void make_table(uint32_t table[256]) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0x82f63b78U : 0);
        table[i] = value;
    }
}

static uint32_t masked_crc(const uint32_t table[256], const uint8_t *bytes, size_t count) {
    uint32_t crc = 0xffffffffU;
    for (size_t i = 0; i < count; i++) crc = table[(crc ^ bytes[i]) & 255] ^ crc >> 8;
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8U;
}

static dt_status write_record(const dt_tensorboard *board, const message *event) {
    message record = {.count = 0};
    put_little(&record, event->count, 8);
    put_little(&record, masked_crc(board->table, record.bytes, 8), 4);
    put_bytes(&record, event->bytes, event->count);
    put_little(&record, masked_crc(board->table, event->bytes, event->count), 4);
    ssize_t written = write(board->fd, record.bytes, record.count);
    if (written == (ssize_t)record.count) return dt_ok();
    return dt_fail(DT_ERR_IO, "%s: %s", board->name, written < 0 ? strerror(errno) : "no room for a record");
}

/* Event: wall_time = 1, step = 2. */
static void begin_event(message *event, int64_t step) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event->count = 0;
    put_double(event, 1, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    put_key(event, 2, 0);
    put_varint(event, (uint64_t)step);
}

/* ---- the file ---- */

/* Event.file_version = 3, which a file begins with; Event.session_log = 7 with SessionLog.status = 1: START (1). */
static dt_status write_head(const dt_tensorboard *board) {
    static const char version[] = "brain.Event:2";
    message event, session = {.count = 0};
    begin_event(&event, 0);
    put_text(&event, 3, version, sizeof version - 1);
    DT_TRY(write_record(board, &event));
    begin_event(&event, 0);
    put_key(&session, 1, 0);
    put_varint(&session, 1);
    put_message(&event, 7, &session);
    return write_record(board, &event);
}

/* ---- earlier files ---- */

static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value) {
    *value = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

/* Whether an event of ours has scalars, and of which step: wall time, step, summary. */
static bool is_of_step(const message *event, uint64_t *step) {
    const uint8_t *at = event->bytes, *end = at + event->count;
    uint64_t key;
    if (event->count < 10 || *at != (1 << 3 | 1)) return false;
    at += 9;
    if (!take_varint(&at, end, &key) || key != 2 << 3 || !take_varint(&at, end, step)) return false;
    return take_varint(&at, end, &key) && key == (5 << 3 | 2);
}

static uint64_t little(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = count; i-- > 0;) value = value << 8 | bytes[i];
    return value;
}

/* The next record of a file; false at its end, or where it is damaged. */
static bool read_record(const dt_tensorboard *board, FILE *in, message *event) {
    uint8_t head[12], tail[4];
    if (fread(head, 1, 12, in) != 12 || little(head + 8, 4) != masked_crc(board->table, head, 8)) return false;
    uint64_t count = little(head, 8);
    if (count > sizeof event->bytes || fread(event->bytes, 1, count, in) != count || fread(tail, 1, 4, in) != 4)
        return false;
    event->count = count;
    return little(tail, 4) == masked_crc(board->table, event->bytes, count);
}

static dt_status take_over(const dt_tensorboard *board, const char *path, int64_t last_step) {
    int fd;
    uint64_t step;
    message event;
    DT_TRY(dt_file_open(path, &fd, NULL));
    FILE *in = fdopen(fd, "r");
    if (!in) {
        close(fd);
        return dt_fail_memory("TensorBoard's events", BUFSIZ);
    }
    dt_status status = dt_ok();
    while (status.code == DT_OK && read_record(board, in, &event))
        if (is_of_step(&event, &step) && step <= (uint64_t)last_step) status = write_record(board, &event);
    fclose(in);
    return status;
}

static int is_ours(const struct dirent *entry) {
    return strncmp(entry->d_name, "events.out.tfevents.", 20) == 0 && strstr(entry->d_name, ".dtrain.");
}

/* The files of earlier starts, oldest first. */
static dt_status replace_earlier(const dt_tensorboard *board, const char *directory, int64_t last_step) {
    struct dirent **names = NULL;
    char path[4096];
    int count = scandir(directory, &names, is_ours, alphasort);
    dt_status status = dt_ok();
    for (int i = 0; i < count; i++) {
        bool own = strcmp(names[i]->d_name, board->name) == 0;
        if (!own && status.code == DT_OK) status = dt_path_join(path, directory, names[i]->d_name);
        if (!own && status.code == DT_OK) status = take_over(board, path, last_step);
        if (!own && status.code == DT_OK) unlink(path);
        free(names[i]);
    }
    free(names);
    return status;
}

dt_status dt_tensorboard_open(dt_tensorboard **out, const char *directory, int64_t last_step) {
    *out = NULL;
    char path[4096];
    dt_tensorboard *board = dt_alloc(1, sizeof *board);
    if (!board) return dt_fail_memory("TensorBoard's events", sizeof *board);
    board->fd = -1;
    make_table(board->table);
    dt_status status = dt_ok();
    for (int number = 0; status.code == DT_OK && (number == 0 || access(path, F_OK) == 0); number++) { /* a new name */
        snprintf(board->name, sizeof board->name, "events.out.tfevents.%010lld.dtrain.%d", (long long)time(NULL),
                 number);
        status = dt_path_join(path, directory, board->name);
    }
    if (status.code == DT_OK) status = dt_file_create(path, &board->fd);
    if (status.code == DT_OK) status = write_head(board);
    if (status.code == DT_OK) status = replace_earlier(board, directory, last_step);
    if (status.code == DT_OK)
        *out = board;
    else
        dt_tensorboard_close(board);
    return status;
}

#define MOST_NAME 128
#define MOST_SCALAR (MOST_NAME + 32) /* bytes of one in a record */

/* Summary.value = 1: Value.tag = 1, simple_value = 2, a float. */
static void put_scalar(message *summary, const char *name, double value) {
    message scalar = {.count = 0};
    float rounded = (float)value;
    uint32_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    put_text(&scalar, 1, name, strnlen(name, MOST_NAME));
    put_key(&scalar, 2, 5);
    put_little(&scalar, bits, 4);
    put_message(summary, 1, &scalar);
}

dt_status dt_tensorboard_append(dt_tensorboard *board, int64_t step, const char *const *names, const double *values,
                                int count) {
    message event, summary = {.count = 0};
    begin_event(&event, step);
    for (int i = 0; i < count && summary.count < MOST_RECORD - MOST_SCALAR - 64; i++)
        if (isfinite(values[i])) put_scalar(&summary, names[i], values[i]);
    put_message(&event, 5, &summary); /* Event.summary = 5 */
    return summary.count > 0 ? write_record(board, &event) : dt_ok();
}

void dt_tensorboard_close(dt_tensorboard *board) {
    if (!board) return;
    if (board->fd >= 0) close(board->fd);
    dt_free(board);
}
