/* Keys of a site. Each pair comes from the secret by BLAKE2b (crypto_kdf), so that neither says anything of the other.
 */
#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "key_internal.h"
#include "secret.h"

#define TEXT_BEGIN "site1-"
#define CHECK_BYTES 2
#define STACK                                                                                                          \
    8192 /* bytes below a function's frame that hashes and signatures work on, and leave parts of secrets in */

dt_status dt_site_name_check(const char *name) {
    size_t length = strlen(name);
    bool usable = length > 0 && length < DT_SITE_NAME && name[0] != '.' && name[0] != '-';
    for (size_t i = 0; usable && i < length; i++)
        usable = isascii((unsigned char)name[i]) && (isalnum((unsigned char)name[i]) || strchr("-_.", name[i]));
    if (usable) return dt_ok();
    char shown[80];
    return dt_fail(DT_ERR_INPUT,
                   "\"%s\" cannot be the name of a site: 1 to %d letters, digits, '-', '_' and '.', of which the first "
                   "is a letter, a digit or '_'",
                   dt_escape_name(shown, sizeof shown, name), DT_SITE_NAME - 1);
}

dt_status dt_site_key_new(dt_site_key **out, const char *name) {
    void *memory = NULL;
    *out = NULL;
    DT_TRY(dt_site_name_check(name));
    DT_TRY(dt_secret_alloc(&memory, sizeof **out));
    *out = memory;
    memset(*out, 0, sizeof **out);
    snprintf((*out)->name, sizeof(*out)->name, "%s", name);
    return dt_ok();
}

void dt_site_key_derive(dt_site_key *key) {
    uint8_t *seed = key->agree; /* in secret memory, and overwritten at once */
    crypto_kdf_derive_from_key(seed, crypto_sign_SEEDBYTES, 1, "dtr-sign", key->seed);
    crypto_sign_seed_keypair(key->open.sign, key->sign, seed);
    crypto_kdf_derive_from_key(key->agree, sizeof key->agree, 2, "dtr-agre", key->seed);
    crypto_scalarmult_base(key->open.agree, key->agree);
    sodium_stackzero(STACK);
}

dt_status dt_site_key_make(dt_site_key **out, const char *name) {
    DT_TRY(dt_site_key_new(out, name));
    dt_secret_random((*out)->seed, sizeof(*out)->seed);
    dt_site_key_derive(*out);
    return dt_ok();
}

void dt_site_key_close(dt_site_key *key) {
    dt_secret_free(key);
}

const char *dt_site_key_name(const dt_site_key *key) {
    return key->name;
}

const dt_public_key *dt_site_key_public(const dt_site_key *key) {
    return &key->open;
}

void dt_site_sign(const dt_site_key *key, const void *bytes, size_t count, uint8_t signature[DT_SIGNATURE_BYTES]) {
    crypto_sign_detached(signature, NULL, bytes, count, key->sign);
    sodium_stackzero(STACK);
}

bool dt_site_signed(const dt_public_key *by, const void *bytes, size_t count,
                    const uint8_t signature[DT_SIGNATURE_BYTES]) {
    return crypto_sign_verify_detached(signature, bytes, count, by->sign) == 0;
}

bool dt_site_key_agree(const dt_site_key *key, const dt_public_key *other, const char *about, uint8_t out[32]) {
    uint8_t shared[crypto_scalarmult_BYTES];
    bool usable = crypto_scalarmult(shared, key->agree, other->agree) == 0;
    if (usable) {
        /* The same order at both ends. */
        bool mine_first = memcmp(key->open.agree, other->agree, 32) < 0;
        crypto_generichash_state state;
        crypto_generichash_init(&state, shared, sizeof shared, 32);
        crypto_generichash_update(&state, (const uint8_t *)about, strlen(about) + 1);
        crypto_generichash_update(&state, mine_first ? key->open.agree : other->agree, 32);
        crypto_generichash_update(&state, mine_first ? other->agree : key->open.agree, 32);
        crypto_generichash_final(&state, out, 32);
        sodium_memzero(&state, sizeof state);
    }
    sodium_memzero(shared, sizeof shared);
    sodium_stackzero(STACK);
    return usable;
}

void dt_site_key_secret(const dt_site_key *key, const char about[8], uint8_t out[32]) {
    crypto_kdf_derive_from_key(out, 32, 3, about, key->seed);
    sodium_stackzero(STACK);
}

/* ---- as text ---- */

static void check_of(const dt_public_key *key, uint8_t out[CHECK_BYTES]) {
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash(hash, sizeof hash, (const uint8_t *)key, sizeof *key, NULL, 0);
    memcpy(out, hash, CHECK_BYTES);
}

void dt_public_key_text(const dt_public_key *key, char out[DT_PUBLIC_TEXT]) {
    uint8_t bytes[sizeof *key + CHECK_BYTES];
    memcpy(bytes, key, sizeof *key);
    check_of(key, bytes + sizeof *key);
    memcpy(out, TEXT_BEGIN, sizeof TEXT_BEGIN);
    sodium_bin2base64(out + strlen(TEXT_BEGIN), DT_PUBLIC_TEXT - strlen(TEXT_BEGIN), bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

dt_status dt_public_key_parse(dt_public_key *out, const char *text) {
    uint8_t bytes[sizeof *out + CHECK_BYTES], check[CHECK_BYTES];
    size_t begin = strlen(TEXT_BEGIN), length = strlen(text), found = 0;
    bool usable = strncmp(text, TEXT_BEGIN, begin) == 0 &&
                  sodium_base642bin(bytes, sizeof bytes, text + begin, length - begin, NULL, &found, NULL,
                                    sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
                  found == sizeof bytes;
    if (usable) {
        memcpy(out, bytes, sizeof *out);
        check_of(out, check);
        usable = memcmp(check, bytes + sizeof *out, sizeof check) == 0;
    }
    if (usable) return dt_ok();
    char shown[112];
    return dt_fail(DT_ERR_INPUT,
                   "\"%s\" is no public key of a site, or a letter of it is wrong; it must be what dtrain keys show "
                   "prints, " TEXT_BEGIN "… of %d letters",
                   dt_escape_name(shown, sizeof shown, text), DT_PUBLIC_TEXT - 2);
}
