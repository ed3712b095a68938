/* Where the secret of private steps comes from (privacy_key.c). */
#ifndef DTRAIN_PRIVACY_KEY_H
#define DTRAIN_PRIVACY_KEY_H

#include "session.h"
#include "site/noise.h"

/* Rank 0. Of the file that was named (--privacy-key, $DTRAIN_PRIVACY_KEY); else of one that belongs to this run
 * directory, which a new run makes; or of the recipe's seed for rehearsals. */
dt_status dt_privacy_key(dt_noise *noise, const dt_session *session, bool goes_on);

#endif
