/* How a failure travels: by value, up the call chain, to the command that prints it.
 *
 * A status is small enough to return and plain enough to send to other ranks as bytes, which is what collective
 * agreement (comm.h) does. Library code returns it, never prints it, never exits. */
#ifndef DTRAIN_STATUS_H
#define DTRAIN_STATUS_H

typedef enum dt_code {
    DT_OK = 0,
    DT_ERR_USAGE,    /* wrong command line; the program exits with 2 */
    DT_ERR_INPUT,    /* a recipe, dataset or file says something that cannot be used */
    DT_ERR_IO,       /* the operating system refused a read or a write */
    DT_ERR_CORRUPT,  /* a file is not what it claims to be */
    DT_ERR_MEMORY,   /* an allocation failed */
    DT_ERR_BUSY,     /* another job holds the run directory */
    DT_ERR_STOPPED,  /* asked to stop before there was anything to keep; the program exits with 75 */
    DT_ERR_COMM,     /* message passing failed */
    DT_ERR_DIVERGED, /* replicas differ, or the loss is no longer a number */
} dt_code;

typedef struct dt_status {
    dt_code code;
    char where[48];    /* the function that noticed */
    char message[464]; /* what was wrong, with the value, where, and what would be right */
} dt_status;

/* The success value. */
dt_status dt_ok(void);

dt_status dt_status_make(dt_code code, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A failure with a printf-style message. */
#define dt_fail(code, ...) dt_status_make((code), __func__, __VA_ARGS__)

/* The failure of an allocation of `bytes` for `what`. */
dt_status dt_fail_memory(const char *what, unsigned long long bytes);

/* `status` with "prefix: " put before its message. */
dt_status dt_status_within(dt_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The program's exit code for a status: 0, 1, 2 or 75. */
int dt_status_exit_code(const dt_status *status);

/* Evaluate an expression of type dt_status and return it from the enclosing function unless it is a success. */
#define DT_TRY(expression)                                                                                             \
    do {                                                                                                               \
        dt_status dt_try_status = (expression);                                                                        \
        if (dt_try_status.code != DT_OK) return dt_try_status;                                                         \
    } while (0)

#endif
