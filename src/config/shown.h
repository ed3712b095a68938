/* Texts of users in messages. */
#ifndef DTRAIN_SHOWN_H
#define DTRAIN_SHOWN_H

#define DT_SHOWN 72

/* `text` made fit for a one-line message: control characters become '?', and what is longer than 60 bytes is cut and
 * marked with "…". Returns out. */
const char *dt_shown(const char *text, char out[DT_SHOWN]);

#endif
