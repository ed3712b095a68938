/* dtrain keys: keys of a site are made and shown. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cli.h"
#include "site/key.h"

const char dt_usage_keys[] =
    "usage: dtrain keys make NAME [--out FILE]\n"
    "       dtrain keys show NAME|FILE\n"
    "\n"
    "make: a new secret for the site NAME, in a file that its owner alone may read. The line it prints is for\n"
    "sites.members in the recipe of every site; it is no secret.\n"
    "show: that line again.\n"
    "\n"
    "  --out FILE       where the secret goes (default: $DTRAIN_SITE_KEY, else dtrain/NAME.key in\n"
    "                   $XDG_CONFIG_HOME or ~/.config)\n"
    "\n"
    "Whoever has the file can speak for the site, so it stays where the site trains. A key that was lost or seen is\n"
    "replaced by a new one, in the recipes of all.\n"
    "\n"
    "Example:\n"
    "  dtrain keys make north --out north.key\n";

static void print_member(const dt_site_key *key) {
    char text[DT_PUBLIC_TEXT];
    dt_public_key_text(dt_site_key_public(key), text);
    dt_log_info("%s: %s", dt_site_key_name(key), text);
}

static dt_status make(const char *name, const char *file) {
    char path[4096];
    dt_site_key *key;
    DT_TRY(dt_site_name_check(name));
    DT_TRY(dt_site_key_path(path, name, file));
    DT_TRY(dt_site_key_make(&key, name));
    dt_status status = dt_site_key_write(key, path);
    if (status.code == DT_OK) {
        dt_log_note("%s has the secret of site %s; for sites.members of all sites' recipes:", path, name);
        print_member(key);
    }
    dt_site_key_close(key);
    return status;
}

/* A file of this name, or else the key of the site of this name. */
static dt_status show(const char *what) {
    char path[4096];
    struct stat there;
    dt_site_key *key;
    bool names_file = strchr(what, '/') || stat(what, &there) == 0;
    if (!names_file) DT_TRY(dt_site_name_check(what));
    DT_TRY(dt_site_key_path(path, what, names_file ? what : NULL));
    DT_TRY(dt_site_key_read(&key, path));
    print_member(key);
    dt_site_key_close(key);
    return dt_ok();
}

static dt_status run(int argc, char **argv) {
    const char *words[2] = {NULL, NULL}, *file = NULL;
    int count = 0;
    for (int i = 1; i < argc; i++) {
        dt_status status = dt_ok();
        const char *value = dt_cli_option(argc, argv, &i, "--out", &status);
        DT_TRY(status);
        if (value)
            file = value;
        else if (argv[i][0] == '-')
            return dt_fail(DT_ERR_USAGE, "keys has no option %s (see dtrain keys --help)", argv[i]);
        else if (count == 2)
            return dt_fail(DT_ERR_USAGE, "keys does not know what to do with %s (see dtrain keys --help)", argv[i]);
        else
            words[count++] = argv[i];
    }
    bool makes = count == 2 && strcmp(words[0], "make") == 0, shows = count == 2 && strcmp(words[0], "show") == 0;
    if (!makes && !shows)
        return dt_fail(DT_ERR_USAGE, "keys needs \"make NAME\" or \"show NAME\" (see dtrain keys --help)");
    if (shows && file) return dt_fail(DT_ERR_USAGE, "keys show has no option --out (see dtrain keys --help)");
    return makes ? make(words[1], file) : show(words[1]);
}

int dt_cli_keys(dt_comm *comm, int argc, char **argv) {
    dt_status status = run(argc, argv);
    return dt_cli_report(comm, &status);
}
