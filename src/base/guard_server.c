/* A guarded child that stays: for files that are read as long as a run lasts. Its processor time has no bound, but each
 * answer has one. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "guard_pipe.h"

struct dt_guard_server {
    dt_guard from;
    pid_t child; /* -1: it has been waited for */
    dt_status failure;
    char path[4096];
};

static void end_child(dt_guard_server *server, int *ended) {
    if (server->child < 0) return;
    kill(server->child, SIGKILL);
    while (waitpid(server->child, ended, 0) < 0 && errno == EINTR) continue;
    server->child = -1;
}

dt_status dt_guard_serve(dt_guard_server **out, const dt_guard_job *job) {
    int ends[2];
    *out = NULL;
    dt_guard_server *server = dt_alloc(1, sizeof *server);
    if (!server) return dt_fail_memory("a process", sizeof *server);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        dt_free(server);
        return dt_fail(DT_ERR_IO, "%s: no pipe: %s", job->path, strerror(errno));
    }
    pid_t parent = getpid();
    server->child = fork();
    if (server->child == 0) {
        close(ends[0]);
        dt_guard_work(job, parent, ends[1], 0);
    }
    int reason = errno;
    close(ends[1]);
    if (server->child < 0) {
        close(ends[0]);
        dt_free(server);
        return dt_fail(DT_ERR_IO, "%s: no process could be started to read it: %s", job->path, strerror(reason));
    }
    strncpy(server->path, job->path, sizeof server->path - 1);
    server->from = (dt_guard){.path = server->path, .pipe = ends[0]};
    *out = server;
    return dt_ok();
}

/* A child that is gone is noticed where its answer is waited for. */
static void send_question(const dt_guard_server *server, const void *question, size_t bytes) {
    const char *at = question;
    while (bytes > 0) {
        ssize_t sent = send(server->from.pipe, at, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return;
        at += sent;
        bytes -= (size_t)sent;
    }
}

void dt_guard_tell(dt_guard_server *server, const void *question, size_t bytes) {
    if (server->failure.code == DT_OK) send_question(server, question, bytes);
}

dt_status dt_guard_hear(dt_guard_server *server, double seconds, void *answer, size_t answer_bytes) {
    if (server->failure.code != DT_OK) return server->failure;
    dt_guard *from = &server->from;
    from->left = seconds;
    dt_status status = dt_guard_take(from, answer, answer_bytes);
    if (status.code == DT_OK) return status;
    int ended = 0;
    end_child(server, &ended);
    bool told = from->state == DT_GUARD_ENDED && from->status.code != DT_OK;
    server->failure = told ? from->status : from->state == DT_GUARD_ENDED ? status : dt_guard_explain(from, ended);
    return server->failure;
}

dt_status dt_guard_ask(dt_guard_server *server, const void *question, size_t bytes, double seconds, void *answer,
                       size_t answer_bytes) {
    dt_guard_tell(server, question, bytes);
    return dt_guard_hear(server, seconds, answer, answer_bytes);
}

void dt_guard_dismiss(dt_guard_server *server) {
    int ended;
    if (!server) return;
    end_child(server, &ended);
    close(server->from.pipe);
    dt_free(server);
}
