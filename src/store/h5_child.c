/* Files of others are opened here, in a child (guard.h), and nowhere else but where checkpoints are: HDF5 crashes on
 * some damaged files. */
#include "store/h5.h"

/* In a child. */
static dt_status open_and_work(void *context, dt_guard *to) {
    const dt_h5_job *job = context;
    dt_h5 *file;
    DT_TRY(dt_h5_open(&file, job->path));
    dt_status status = job->work(job->context, file, to);
    dt_h5_close(&file);
    return status;
}

static dt_status take_sent(void *context, dt_guard *from) {
    const dt_h5_job *job = context;
    return job->take(job->context, from);
}

dt_status dt_h5_run(const dt_h5_job *job) {
    dt_h5_job here = *job;
    return dt_guard_run(&(dt_guard_job){.path = job->path,
                                        .stoppable = job->stoppable,
                                        .file_bytes = job->file_bytes,
                                        .work = open_and_work,
                                        .take = job->take ? take_sent : NULL,
                                        .context = &here});
}
