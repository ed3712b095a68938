/* Time, for progress and profiles; never for decisions that change the arithmetic. */
#ifndef DTRAIN_CLOCK_H
#define DTRAIN_CLOCK_H

/* Seconds since an arbitrary start; monotonic. */
double dt_clock_now(void);

/* Seconds since 1970, which may be set back and forth. */
double dt_clock_epoch(void);

/* Processor time of the calling thread, in seconds. */
double dt_clock_work(void);

/* UTC now as "2026-11-23T18:15:35Z". */
void dt_clock_utc(char out[32]);

#endif
