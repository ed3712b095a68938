/* What the program says while it works. Rank 0 alone writes to standard output; any rank may warn on standard error. */
#ifndef DTRAIN_LOG_H
#define DTRAIN_LOG_H

#include <stdbool.h>
#include <stdint.h>

typedef enum dt_log_level { DT_LOG_QUIET, DT_LOG_WARN, DT_LOG_INFO, DT_LOG_DEBUG } dt_log_level;

/* Sets the threshold, and whether this process may write to standard output (`speaker`: rank 0). */
void dt_log_setup(dt_log_level level, int speaker);

dt_log_level dt_log_threshold(void);

/* A line on standard output, from the speaker only. */
void dt_log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line on standard error, from the speaker only: "dtrain: …", of what is no result and no warning. */
void dt_log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line on standard error: "dtrain: warning: …". Those that come again and again are counted (repeats.h). */
void dt_log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whoever is to hear this process's warnings besides, each without "dtrain: warning: "; from any thread, and never of
 * several at once. NULL: nobody. What the listener warns of is not heard. */
typedef void (*dt_log_listener)(void *context, const char *warning);
void dt_log_listen(dt_log_listener listener, void *context);

/* How many warnings there were, shown or not. */
int64_t dt_log_warning_count(void);

/* Whether the speaker has a terminal for live lines: standard output's, or else standard error's. */
bool dt_log_has_terminal(void);
/* A line of one's own on it, which the next one takes the place of, and any other line; cut to the terminal's width.
 * NULL takes it away. Nothing happens where there is no terminal. */
void dt_log_live(const char *line);

/* A line on standard error at debug level. */
void dt_log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line on standard error, always: "dtrain: …". */
void dt_log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes what is left for standard output, also of others than this file. False when it did not take all that was
 * written since the start; that has been said. */
bool dt_log_finish(void);

#endif
