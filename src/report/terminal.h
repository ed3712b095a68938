/* A terminal as a page that is drawn again and again: the screen that was there, its settings and its cursor come back
 * whatever ends it, and while job control has it stopped. One a process. */
#ifndef DTRAIN_TERMINAL_H
#define DTRAIN_TERMINAL_H

#include "base/status.h"

/* Standard output's columns and lines; where that is no terminal $COLUMNS and $LINES, or 80 and 24. */
void dt_terminal_size(int *columns, int *lines);

/* Takes over the terminal that standard output is. */
dt_status dt_terminal_open(void);
/* The page is this text, lines with newlines between, which has to fit. */
void dt_terminal_show(const char *text);

typedef enum dt_terminal_event {
    DT_TERMINAL_TIME,
    DT_TERMINAL_CHANGED,
    DT_TERMINAL_KEY,
    DT_TERMINAL_END
} dt_terminal_event;
/* Waits for a key, a change of size, an end (a signal, or the terminal is gone) or so many seconds. */
dt_terminal_event dt_terminal_wait(double seconds, char *key);
/* All is as it was. Gives the signal that ended it; 0: none did. */
int dt_terminal_close(void);

#endif
