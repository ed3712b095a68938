/* The keys of a site: one secret of 256 bits, and two pairs of keys that follow from it, Ed25519 to sign with and
 * X25519 to agree on secrets with. A recipe has the public ones, as a line of text; the secret is in a file of its own.
 */
#ifndef DTRAIN_SITE_KEY_H
#define DTRAIN_SITE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define DT_SITE_NAME 64       /* bytes of a site's name with its end; letters, digits, '-', '_' and '.' within */
#define DT_PUBLIC_TEXT 96     /* bytes of a public key as text, with its end */
#define DT_SIGNATURE_BYTES 64 /* of Ed25519 */

typedef struct dt_public_key {
    uint8_t sign[32];  /* Ed25519 */
    uint8_t agree[32]; /* X25519 */
} dt_public_key;

typedef struct dt_site_key dt_site_key; /* in memory as secret.h has it */

/* DT_ERR_INPUT unless `name` can be a site's, and a part of a file's name. */
dt_status dt_site_name_check(const char *name);

/* New keys. To be closed. */
dt_status dt_site_key_make(dt_site_key **out, const char *name);
void dt_site_key_close(dt_site_key *key); /* accepts NULL */

const char *dt_site_key_name(const dt_site_key *key);
const dt_public_key *dt_site_key_public(const dt_site_key *key);

/* Signs; two signatures of the same bytes are the same (RFC 8032). */
void dt_site_sign(const dt_site_key *key, const void *bytes, size_t count, uint8_t signature[DT_SIGNATURE_BYTES]);
/* Whether the owner of `by` signed these bytes. dt_secret_ready was called. */
bool dt_site_signed(const dt_public_key *by, const void *bytes, size_t count,
                    const uint8_t signature[DT_SIGNATURE_BYTES]);

/* 32 bytes that this site and the owner of `other` know, and nobody else: BLAKE2b, keyed with X25519's result, of
 * `about` (at most 64 bytes) and both public keys. The caller wipes them. False: `other` is no point that agrees on
 * anything. */
bool dt_site_key_agree(const dt_site_key *key, const dt_public_key *other, const char *about, uint8_t out[32]);

/* 32 bytes that this site alone knows, others for every `about` of 8 letters. The caller wipes them. */
void dt_site_key_secret(const dt_site_key *key, const char about[8], uint8_t out[32]);

/* "site1-" and 88 letters, in which any one that is mistyped is noticed but in one case of 65536. */
void dt_public_key_text(const dt_public_key *key, char out[DT_PUBLIC_TEXT]);
dt_status dt_public_key_parse(dt_public_key *out, const char *text);

/* ---- files of keys ---- */

/* Where the secret of the site `name` is: `given`, else $DTRAIN_SITE_KEY, else NAME.key in dtrain/ of $XDG_CONFIG_HOME
 * or ~/.config. */
dt_status dt_site_key_path(char out[4096], const char *name, const char *given);

/* NAME.key in dtrain/ of $XDG_CONFIG_HOME or ~/.config. */
dt_status dt_site_key_place(char out[4096], const char *name);

/* Writes it as a file that nobody else may read, whole or not at all, and never in the place of another one. */
dt_status dt_site_key_write(const dt_site_key *key, const char *path);
/* Refuses a file that others could have read, or that is another user's. To be closed. */
dt_status dt_site_key_read(dt_site_key **out, const char *path);

#endif
