/* The secret of private steps is a key as sites have (dtrain keys make), in a file of its own outside the run
 * directory: whoever gets the run is not to get it, too. A run that goes on needs the same. */
#include "privacy_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "data/identity.h"

/* privacy-NAME-HASH.key where sites' keys are, for the run directory of this name in this place. */
static dt_status own_path(char out[4096], const dt_session *session) {
    char whole[4096], name[64];
    if (!realpath(session->directory, whole)) return dt_fail(DT_ERR_IO, "%s: %s", session->directory, strerror(errno));
    snprintf(name, sizeof name, "privacy-%016llx", (unsigned long long)dt_fingerprint(whole, strlen(whole)));
    return dt_site_key_place(out, name);
}

static dt_status make(const char *path) {
    dt_site_key *key;
    DT_TRY(dt_site_key_make(&key, "privacy"));
    dt_status status = dt_site_key_write(key, path);
    dt_site_key_close(key);
    if (status.code == DT_OK)
        dt_log_info(
            "privacy: a secret key was made, %s; keep it as long as this run is to be gone on with, and show it "
            "to nobody",
            path);
    return status;
}

dt_status dt_privacy_key(dt_noise *noise, const dt_session *session, bool goes_on) {
    const int64_t seed = session->recipe->privacy.reproducible_noise;
    const char *option = session->options->privacy_key, *named = option ? option : getenv("DTRAIN_PRIVACY_KEY");
    const bool elsewhere = dt_recipe_has_mailbox(session->recipe); /* the others are */
    char path[4096];
    struct stat about;
    if (seed >= 0) {
        dt_noise_take_seed(noise, seed);
        return dt_ok();
    }
    if (elsewhere && session->options->again)
        return dt_fail(DT_ERR_USAGE,
                       "its noise is a secret of the site's (sites.members): only there it can be computed");
    if (elsewhere) {
        DT_TRY(dt_site_key_path(path, session->options->site, session->options->key));
    } else if (named && named[0]) {
        if (snprintf(path, sizeof path, "%s", named) >= (int)sizeof path)
            return dt_fail(DT_ERR_USAGE, "%.60s…: the path of the privacy key is too long", named);
    } else if (!session->directory[0]) { /* a run that is computed again by whoever doubts it */
        return dt_fail(DT_ERR_USAGE, "its noise is a secret, so only with its key it can be computed again; "
                                     "$DTRAIN_PRIVACY_KEY names the file");
    } else {
        DT_TRY(own_path(path, session));
        bool there = lstat(path, &about) == 0;
        if (!there && goes_on)
            return dt_fail(
                DT_ERR_INPUT,
                "%s: the secret key of this run's noise is not here; steps that are made again need the same "
                "noise. Name the file with --privacy-key",
                path);
        if (!there) DT_TRY(make(path));
    }
    dt_site_key *key;
    DT_TRY(dt_site_key_read(&key, path));
    dt_noise_take_key(noise, key);
    dt_site_key_close(key);
    return dt_ok();
}
