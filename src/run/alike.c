/* Whether all ranks run the same program on the same recipe: found by hashes, before they disagree in what they do. */
#include "alike.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/memory.h"

/* The bytes of the running program. */
static uint64_t program_hash(void) {
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (file < 0) return 0;
    uint64_t hash = 0;
    if (fstat(file, &info) == 0 && info.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (bytes != MAP_FAILED) {
            hash = XXH3_64bits(bytes, (size_t)info.st_size);
            munmap(bytes, (size_t)info.st_size);
        }
    }
    close(file);
    return hash;
}

dt_status dt_check_alike(dt_comm *comm, uint64_t value, const char *what, const char *advice) {
    int ranks = dt_comm_size(comm);
    uint64_t *all = dt_alloc((size_t)ranks, sizeof *all);
    DT_TRY(dt_comm_agree(comm, all ? dt_ok() : dt_fail_memory("hashes of the ranks", (size_t)ranks * 8)));
    dt_status status = dt_comm_gather_u64(comm, value, all);
    for (int i = 1; i < ranks && status.code == DT_OK; i++)
        if (all[i] != all[0]) status = dt_fail(DT_ERR_INPUT, "rank %d has another %s than rank 0; %s", i, what, advice);
    dt_free(all);
    return status;
}

dt_status dt_check_ranks_alike(const dt_session *session) {
    DT_TRY(dt_check_alike(session->comm, program_hash(), "dtrain program", "install the same one on every machine"));
    char *recipe = NULL;
    DT_TRY(dt_session_agree(session, dt_recipe_emit(session->recipe, NULL, &recipe)));
    const char *directory = session->options->run ? session->options->run : "";
    uint64_t hash = XXH3_64bits_withSeed(recipe, strlen(recipe), XXH3_64bits(directory, strlen(directory)));
    dt_free(recipe);
    return dt_check_alike(session->comm, hash, "recipe or run directory", "give every rank the same file and options");
}
