/* Messages between sites: made, written, read. message.h has the form. */
#include "message.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/publish.h"

#define VERSION 1
#define SIGNED 192 /* bytes before the signature */
#define BLOCK ((size_t)1 << 20)

static const uint8_t magic[8] = {0x89, 'd', 't', 'm', 'a', 'i', 'l', '\n'};

enum {
    AT_VERSION = 8,
    AT_KIND = 12,
    AT_SITE = 16,
    AT_ROUND = 80,
    AT_STAGE = 88,
    AT_BITS = 92,
    AT_COMMON = 96,
    AT_RECIPE = 104,
    AT_GROUP = 112,
    AT_WEIGHT = 128,
    AT_COUNT = 136,
    AT_LENGTH = 144,
    AT_HASH = 152,
    AT_ZEROS = 184
};

static void put(uint8_t *to, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *from, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* ---- making ---- */

/* What is signed. */
static void compose(const dt_message_wanted *wanted, int member, uint64_t weight, const void *payload, size_t length,
                    uint8_t header[DT_MESSAGE_HEADER]) {
    const dt_member *who = &wanted->members->list[member];
    memset(header, 0, DT_MESSAGE_HEADER);
    memcpy(header, magic, sizeof magic);
    put(header + AT_VERSION, VERSION, 4);
    put(header + AT_KIND, wanted->kind, 4);
    memcpy(header + AT_SITE, who->name, strlen(who->name));
    put(header + AT_ROUND, (uint64_t)wanted->round, 8);
    put(header + AT_STAGE, wanted->stage, 4);
    put(header + AT_BITS, wanted->bits, 4);
    put(header + AT_COMMON, wanted->common, 8);
    put(header + AT_RECIPE, wanted->recipe, 8);
    memcpy(header + AT_GROUP, wanted->members->group, DT_GROUP_HASH);
    put(header + AT_WEIGHT, weight, 8);
    put(header + AT_COUNT, wanted->count, 8);
    put(header + AT_LENGTH, length, 8);
    crypto_generichash(header + AT_HASH, 32, payload, length, NULL, 0);
}

void dt_message_identify(const dt_message_wanted *wanted, int member, uint64_t weight, const void *payload,
                         size_t length, uint8_t id[DT_MESSAGE_ID]) {
    uint8_t header[DT_MESSAGE_HEADER];
    compose(wanted, member, weight, payload, length, header);
    crypto_generichash(id, DT_MESSAGE_ID, header, SIGNED, NULL, 0);
}

dt_status dt_message_seal(const dt_message_wanted *wanted, int member, const dt_site_key *key, uint64_t weight,
                          const void *payload, size_t length, uint8_t header[DT_MESSAGE_HEADER], dt_message *out) {
    const dt_member *who = &wanted->members->list[member];
    if (memcmp(&who->key, dt_site_key_public(key), sizeof who->key) != 0)
        return dt_fail(DT_ERR_INPUT,
                       "the key is not the one that sites.members has for %s; dtrain keys show prints its line",
                       who->name);
    compose(wanted, member, weight, payload, length, header);
    dt_site_sign(key, header, SIGNED, header + SIGNED);
    *out = (dt_message){.kind = wanted->kind,
                        .stage = wanted->stage,
                        .bits = wanted->bits,
                        .member = member,
                        .round = wanted->round,
                        .common = wanted->common,
                        .recipe = wanted->recipe,
                        .weight = weight,
                        .count = wanted->count,
                        .length = length};
    crypto_generichash(out->id, sizeof out->id, header, SIGNED, NULL, 0);
    return dt_ok();
}

/* ---- writing ---- */

typedef struct written {
    const uint8_t *header;
    const uint8_t *payload;
    size_t length;
} written;

static dt_status write_all(int fd, const char *path, const uint8_t *bytes, size_t count) {
    while (count > 0) {
        ssize_t done = write(fd, bytes, count < BLOCK ? count : BLOCK);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
        bytes += done;
        count -= (size_t)done;
        dt_alive();
    }
    return dt_ok();
}

static dt_status write_message(void *context, const char *path) {
    const written *own = context;
    int fd;
    DT_TRY(dt_file_create(path, &fd));
    dt_status status = write_all(fd, path, own->header, DT_MESSAGE_HEADER);
    if (status.code == DT_OK) status = write_all(fd, path, own->payload, own->length);
    if (close(fd) != 0 && status.code == DT_OK)
        status = dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    return status;
}

dt_status dt_message_write(const char *path, const uint8_t header[DT_MESSAGE_HEADER], const void *payload,
                           size_t length) {
    return dt_publish_file(path, write_message, &(written){header, payload, length});
}

static dt_status copy_all(int from, int to, const char *path) {
    uint8_t *block = dt_alloc(BLOCK, 1);
    if (!block) return dt_fail_memory("a copy of a message", BLOCK);
    dt_status status = dt_ok();
    for (ssize_t count = 1; count > 0 && status.code == DT_OK;) {
        do count = read(from, block, BLOCK);
        while (count < 0 && errno == EINTR);
        status = count < 0 ? dt_fail(DT_ERR_IO, "%s: what it is a copy of cannot be read: %s", path, strerror(errno))
                           : write_all(to, path, block, (size_t)count);
    }
    dt_free(block);
    return status;
}

static dt_status write_copy(void *context, const char *path) {
    int fd;
    DT_TRY(dt_file_create(path, &fd));
    dt_status status = copy_all(*(const int *)context, fd, path);
    if (close(fd) != 0 && status.code == DT_OK)
        status = dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    return status;
}

dt_status dt_message_copy(const char *from, const char *path) {
    int fd;
    DT_TRY(dt_file_open(from, &fd, NULL));
    dt_status status = dt_publish_file(path, write_copy, &fd);
    close(fd);
    return status;
}

/* ---- reading ---- */

/* What is known of a file while it is looked at. */
typedef struct reading {
    char name[160]; /* of the file, escaped, as messages have it: DIRECTORY/FILE */
    const dt_message_wanted *wanted;
    int fd;
    int64_t bytes;
    uint8_t header[DT_MESSAGE_HEADER];
    dt_message_fault fault;
} reading;

#define FAULT(r, kind, ...) ((r)->fault = DT_MESSAGE_##kind, dt_fail(DT_ERR_CORRUPT, __VA_ARGS__))

/* The last two parts of the path are what tells files apart. */
static void name_file(reading *r, const char *path) {
    const char *begin = strrchr(path, '/');
    while (begin && begin > path && *--begin != '/') continue;
    dt_escape_name(r->name, sizeof r->name, begin ? begin + (*begin == '/') : path);
}

static dt_status open_message(reading *r, const char *path) {
    struct stat about;
    if (lstat(path, &about) != 0) {
        if (errno == ENOENT) return FAULT(r, GONE, "%s is not there", r->name);
        return FAULT(r, NO_FILE, "%s cannot be read: %s", r->name, strerror(errno));
    }
    if (!S_ISREG(about.st_mode))
        return FAULT(r, NO_FILE, "%s is %s; messages are regular files", r->name, dt_file_kind(about.st_mode));
    dt_status status = dt_file_open(path, &r->fd, &r->bytes);
    if (status.code != DT_OK) return FAULT(r, NO_FILE, "%s cannot be read: %s", r->name, status.message);
    return dt_ok();
}

static dt_status read_exactly(reading *r, void *to, size_t count, size_t before) {
    for (size_t done = 0; done < count;) {
        ssize_t more = read(r->fd, (uint8_t *)to + done, count - done);
        if (more < 0 && errno == EINTR) continue;
        if (more < 0) return FAULT(r, NO_FILE, "%s cannot be read: %s", r->name, strerror(errno));
        if (more == 0) return FAULT(r, TORN, "%s is torn: it ends after %zu bytes", r->name, before + done);
        done += (size_t)more;
    }
    dt_alive();
    return dt_ok();
}

/* What a file is that is none of ours, as far as a look tells. */
static const char *look_of(const uint8_t *bytes) {
    static const uint8_t hdf5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    if (memcmp(bytes, hdf5, sizeof hdf5) == 0) return "an HDF5 file";
    return sodium_is_zero(bytes, DT_MESSAGE_HEADER) ? "zeros" : "something else";
}

static dt_status check_form(reading *r) {
    if (r->bytes < DT_MESSAGE_HEADER)
        return FAULT(r, TORN, "%s is torn: it has %lld bytes, and the header alone has %d", r->name,
                     (long long)r->bytes, DT_MESSAGE_HEADER);
    DT_TRY(read_exactly(r, r->header, DT_MESSAGE_HEADER, 0));
    if (memcmp(r->header, magic, sizeof magic) != 0)
        return FAULT(r, GARBAGE, "%s is no message of a site, but %s", r->name, look_of(r->header));
    unsigned version = (unsigned)get(r->header + AT_VERSION, 4);
    if (version != VERSION)
        return FAULT(r, FOREIGN, "%s has format %u, and this program reads %d", r->name, version, VERSION);
    return dt_ok();
}

/* From here on the header says what its site signed. */
static dt_status check_signature(reading *r, int *member) {
    const char *site = (const char *)r->header + AT_SITE;
    char shown[80], name[DT_SITE_NAME];
    size_t length = strnlen(site, DT_SITE_NAME);
    if (length == DT_SITE_NAME || !sodium_is_zero(r->header + AT_SITE + length, DT_SITE_NAME - length))
        return FAULT(r, GARBAGE, "%s is no message of a site: there is no name in it", r->name);
    memcpy(name, site, length + 1);
    *member = dt_members_find(r->wanted->members, name);
    if (*member < 0)
        return FAULT(r, FOREIGN, "%s says it is of site \"%s\", which is none of sites.members", r->name,
                     dt_escape_name(shown, sizeof shown, name));
    if (dt_site_signed(&r->wanted->members->list[*member].key, r->header, SIGNED, r->header + SIGNED)) return dt_ok();
    return FAULT(r, FORGED, "%s says it is of site %s, and was not signed with its key, or a bit of it was flipped",
                 r->name, name);
}

static void decode(const uint8_t *header, int member, dt_message *out) {
    *out = (dt_message){.kind = (uint32_t)get(header + AT_KIND, 4),
                        .stage = (uint32_t)get(header + AT_STAGE, 4),
                        .bits = (uint32_t)get(header + AT_BITS, 4),
                        .member = member,
                        .round = (int64_t)get(header + AT_ROUND, 8),
                        .common = get(header + AT_COMMON, 8),
                        .recipe = get(header + AT_RECIPE, 8),
                        .weight = get(header + AT_WEIGHT, 8),
                        .count = get(header + AT_COUNT, 8),
                        .length = get(header + AT_LENGTH, 8)};
    crypto_generichash(out->id, sizeof out->id, header, SIGNED, NULL, 0);
}

static dt_status check_recipe(reading *r, const dt_message *m) {
    const dt_message_wanted *wanted = r->wanted;
    const char *site = wanted->members->list[m->member].name;
    if (memcmp(r->header + AT_GROUP, wanted->members->group, DT_GROUP_HASH) != 0)
        return FAULT(r, RECIPE, "%s of site %s is of a recipe with other members, keys or quorum", r->name, site);
    if (m->recipe != wanted->recipe)
        return FAULT(r, RECIPE, "%s of site %s is of another recipe (%016llx, here %016llx)", r->name, site,
                     (unsigned long long)m->recipe, (unsigned long long)wanted->recipe);
    return dt_ok();
}

static dt_status check_place(reading *r, const dt_message *m) {
    const dt_message_wanted *wanted = r->wanted;
    const char *site = wanted->members->list[m->member].name;
    DT_TRY(check_recipe(r, m));
    if (m->round != wanted->round || m->stage != wanted->stage || m->kind != wanted->kind)
        return FAULT(r, REPLAYED,
                     "%s of site %s was sent for something else before: round %lld, stage %u, kind %u, where round "
                     "%lld, stage %u, kind %u belong",
                     r->name, site, (long long)m->round, m->stage, m->kind, (long long)wanted->round, wanted->stage,
                     wanted->kind);
    if (m->common != wanted->common)
        return FAULT(r, PARTED,
                     "%s of site %s begins round %lld from another common state (digest %016llx, here %016llx): one of "
                     "the two computed differently before",
                     r->name, site, (long long)m->round, (unsigned long long)m->common,
                     (unsigned long long)wanted->common);
    return dt_ok();
}

static dt_status check_size(reading *r, const dt_message *m) {
    const dt_message_wanted *wanted = r->wanted;
    const char *site = wanted->members->list[m->member].name;
    if (m->length < wanted->least || m->length > wanted->most || m->count != wanted->count || m->bits != wanted->bits)
        return FAULT(r, SIZE,
                     "%s of site %s has %llu words of %u bits in %llu bytes, where %llu words of %u bits belong",
                     r->name, site, (unsigned long long)m->count, m->bits, (unsigned long long)m->length,
                     (unsigned long long)wanted->count, wanted->bits);
    uint64_t bytes = DT_MESSAGE_HEADER + m->length;
    if ((uint64_t)r->bytes < bytes)
        return FAULT(r, TORN, "%s of site %s is torn: it has %lld of its %llu bytes", r->name, site,
                     (long long)r->bytes, (unsigned long long)bytes);
    if ((uint64_t)r->bytes > bytes)
        return FAULT(r, SIZE, "%s of site %s has %llu bytes behind its end", r->name, site,
                     (unsigned long long)((uint64_t)r->bytes - bytes));
    return sodium_is_zero(r->header + AT_ZEROS, SIGNED - AT_ZEROS)
               ? dt_ok()
               : FAULT(r, FOREIGN, "%s of site %s says what this program does not know", r->name, site);
}

/* Into `whole` [length], or block by block through a buffer where only the hash is asked for. */
static dt_status read_payload(reading *r, const dt_message *m, uint8_t *whole, uint8_t *block) {
    crypto_generichash_state state;
    uint8_t hash[32];
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    for (uint64_t done = 0; done < m->length;) {
        size_t count = m->length - done < BLOCK ? (size_t)(m->length - done) : BLOCK;
        uint8_t *to = whole ? whole + done : block;
        DT_TRY(read_exactly(r, to, count, (size_t)(DT_MESSAGE_HEADER + done)));
        crypto_generichash_update(&state, to, count);
        done += count;
    }
    crypto_generichash_final(&state, hash, sizeof hash);
    if (memcmp(hash, r->header + AT_HASH, sizeof hash) == 0) return dt_ok();
    return FAULT(r, ALTERED, "%s of site %s is not what was signed: a bit or more of its payload was flipped", r->name,
                 r->wanted->members->list[m->member].name);
}

static dt_status take_payload(reading *r, const dt_message *m, void **payload) {
    size_t room = payload ? (size_t)m->length : m->length < BLOCK ? (size_t)m->length : BLOCK;
    uint8_t *bytes = dt_alloc(room ? room : 1, 1);
    if (!bytes) return dt_fail_memory("a message of a site", room);
    dt_status status = read_payload(r, m, payload ? bytes : NULL, bytes);
    if (payload && status.code == DT_OK)
        *payload = bytes;
    else
        dt_free(bytes);
    return status;
}

/* What its site signed, of any place. */
static dt_status read_header(reading *r, const char *path, dt_message *out) {
    int member = -1;
    memset(out, 0, sizeof *out);
    out->member = -1;
    name_file(r, path);
    DT_TRY(open_message(r, path));
    DT_TRY(check_form(r));
    DT_TRY(check_signature(r, &member));
    decode(r->header, member, out);
    return dt_ok();
}

dt_status dt_message_read(const char *path, const dt_message_wanted *wanted, dt_message *out, void **payload,
                          dt_message_fault *fault) {
    reading r = {.wanted = wanted, .fd = -1};
    if (payload) *payload = NULL;
    dt_status status = read_header(&r, path, out);
    if (status.code == DT_OK) status = check_place(&r, out);
    if (status.code == DT_OK) status = check_size(&r, out);
    if (status.code == DT_OK) status = take_payload(&r, out, payload);
    if (r.fd >= 0) close(r.fd);
    if (fault) *fault = r.fault;
    return status;
}

dt_status dt_message_glance(const char *path, const dt_members *members, uint64_t recipe, dt_message *out) {
    const dt_message_wanted wanted = {.members = members, .recipe = recipe};
    reading r = {.wanted = &wanted, .fd = -1};
    dt_status status = read_header(&r, path, out);
    if (status.code == DT_OK) status = check_recipe(&r, out);
    if (r.fd >= 0) close(r.fd);
    return status;
}
