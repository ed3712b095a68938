/* What key.c and key_file.c share. */
#ifndef DTRAIN_SITE_KEY_INTERNAL_H
#define DTRAIN_SITE_KEY_INTERNAL_H

#include "key.h"

#define DT_SEED_BYTES 32

struct dt_site_key {
    uint8_t seed[DT_SEED_BYTES];
    uint8_t sign[64]; /* as libsodium has it: seed and public key */
    uint8_t agree[32];
    dt_public_key open;
    char name[DT_SITE_NAME];
};

/* Keys of a name, whose seed is to be put in; then everything else follows from that. */
dt_status dt_site_key_new(dt_site_key **out, const char *name);
void dt_site_key_derive(dt_site_key *key);

#endif
