/* Keys of a round are in no core of a process, wherever in the round it dies: this program starts itself once more as a
 * site that hears what the others said, looks through all memory of it that the kernel would dump (/proc/PID/mem, all
 * mappings but those that smaps marks "dd"), and through the core of one that aborts, where the system writes one. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"
#include "masks_world.h"
#include "site/secret.h"

enum { COUNT_OF_SITES = 4, THRESHOLD = 3, WORDS = 5000, ME = 1 };

/* ---- the site: a child that gets its secret and all messages through a pipe ---- */

static void take(void *to, size_t length) {
    for (ssize_t got; length > 0; length -= (size_t)got, to = (char *)to + got)
        if ((got = read(0, to, length)) <= 0) _exit(3);
}

static void give_sign(char sign) {
    if (write(1, &sign, 1) != 1) _exit(3);
}

static volatile char marker[32]; /* what a search must find: the control */

/* Check's own assertions are for the parent. */
static void must(dt_status status) {
    if (status.code == DT_OK) return;
    fprintf(stderr, "the site: %s\n", status.message);
    _exit(5);
}

static int be_a_site(void) {
    world w;
    void *secret;
    bool all[SITES] = {true, true, true, true};
    for (int i = 0; i < 32; i++) marker[i] = (char)(7 * i + 90);
    must(dt_secret_alloc(&secret, DT_MASKS_SECRET));
    take(secret, DT_MASKS_SECRET);
    describe_world(&w, COUNT_OF_SITES, THRESHOLD, WORDS); /* but for its secret */
    dt_masks *masks;
    must(dt_masks_open(&w.round[ME], secret, w.words[ME], w.weight[ME], &masks));
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) {
        const void *bytes;
        size_t length;
        for (int from = 0; from < COUNT_OF_SITES; from++) {
            take(&length, sizeof length);
            void *message = malloc(length);
            take(message, length);
            must(dt_masks_hear(masks, from, message, length));
            if (phase == DT_MASKS_OPEN && from == 0) /* the sum needs all vectors; those were kept */
                for (int k = 0; k < COUNT_OF_SITES; k++)
                    must(dt_masks_add(masks, k, w.sent[DT_MASKS_VECTOR][k], w.length[DT_MASKS_VECTOR][k]));
            w.sent[phase][from] = message;
            w.length[phase][from] = length;
        }
        must(dt_masks_say(masks, &bytes, &length));
        if (phase < DT_MASKS_OPEN) must(dt_masks_agree(masks, all, COUNT_OF_SITES));
        give_sign((char)('0' + phase));
        char next;
        take(&next, 1);
        if (next == 'x') abort();
    }
    uint32_t sum[WORDS];
    uint64_t weight;
    must(dt_masks_finish(masks, sum, &weight));
    give_sign('f');
    char next;
    take(&next, 1);
    dt_masks_close(masks);
    dt_secret_free(secret);
    give_sign('c');
    take(&next, 1);
    end_world(&w);
    return 0;
}

/* ---- what is looked for ---- */

typedef struct needle {
    const char *name;
    uint8_t bytes[16]; /* half a key would be enough of it */
} needle;

typedef struct needles {
    needle list[200];
    int count;
} needles;

static void look_for(needles *all, const char *name, const uint8_t key[DT_KEY]) {
    for (int half = 0; half < 2; half++) {
        needle *one = &all->list[all->count++];
        one->name = name;
        memcpy(one->bytes, key + 16 * half, 16);
    }
    needle *wide = &all->list[all->count++]; /* as a vector has it: a word in every lane */
    wide->name = name;
    for (int lane = 0; lane < 4; lane++) memcpy(wide->bytes + 4 * lane, key + 4, 4);
}

/* All secrets of the site `ME` of w in a round; b of its own, and its shares of the others' b, are secret until they
 * are opened, and after that still not to be found in a core. */
static void list_needles(const world *w, needles *all) {
    const dt_masks *masks = w->masks[ME];
    const dt_masks_secrets *own = masks->secrets;
    uint8_t seed[DT_KEY];
    look_for(all, "the site's secret", w->secret[ME]);
    look_for(all, "the key for shares", own->share_secret);
    look_for(all, "the key for masks", own->mask_secret);
    look_for(all, "the self mask", own->self);
    for (int k = 0; k < THRESHOLD - 1; k++) {
        look_for(all, "a coefficient", own->coefficients[0][k]);
        look_for(all, "a coefficient", own->coefficients[1][k]);
    }
    for (int i = 0; i < COUNT_OF_SITES; i++) {
        look_for(all, "a share of s", own->held[i].of[1]);
        if (i == ME)
            dt_masks_self_seed(masks, ME, own->self, seed);
        else
            dt_masks_pair_seed(masks, ME, i, own->mask_secret, masks->site[i].mask_key, seed);
        look_for(all, "a seed", seed);
    }
}

static int found_in(const needles *all, const uint8_t *bytes, size_t length, const char *where) {
    int found = 0;
    for (int i = 0; i < all->count; i++)
        if (length > 0 && memmem(bytes, length, all->list[i].bytes, 16)) {
            if (where) printf("%s is in %s\n", all->list[i].name, where);
            found++;
        }
    return found;
}

static int found_marker(const uint8_t *bytes, size_t length) {
    uint8_t sought[32];
    for (int i = 0; i < 32; i++) sought[i] = (uint8_t)(7 * i + 90);
    return memmem(bytes, length, sought, sizeof sought) != NULL;
}

/* ---- memory of another process ---- */

typedef struct counts {
    int dumped, hidden, marked; /* needles in what a core would have, in the rest; whether the marker was seen */
} counts;

static void search_mapping(const needles *all, int memory, const char *line, unsigned long long from,
                           unsigned long long to, bool hidden, counts *out) {
    size_t length = (size_t)(to - from);
    uint8_t *bytes = malloc(length);
    ssize_t got = pread(memory, bytes, length, (off_t)from);
    if (got > 0) {
        int found = found_in(all, bytes, (size_t)got, hidden ? NULL : line);
        *(hidden ? &out->hidden : &out->dumped) += found;
        if (!hidden) out->marked += found_marker(bytes, (size_t)got);
    }
    free(bytes);
}

/* Pages that are not there are in no core, and a sanitizer's mappings are of terabytes of them. */
static counts search_process(const needles *all, pid_t pid) {
    char path[64], line[512], head[512] = "";
    counts out = {0};
    unsigned long long from = 0, to = 0, size = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(memory, 0);
    snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
    FILE *maps = fopen(path, "r");
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof line, maps)) {
        unsigned long long begin, end;
        if (sscanf(line, "%llx-%llx ", &begin, &end) == 2) {
            from = begin, to = end;
            snprintf(head, sizeof head, "%s", line);
        }
        sscanf(line, "Size: %llu", &size);
        sscanf(line, "Rss: %llu", &resident);
        if (strncmp(line, "VmFlags:", 8) == 0 && resident > 0 && size < 1UL << 20)
            search_mapping(all, memory, head, from, to, strstr(line, " dd") != NULL, &out);
    }
    fclose(maps);
    close(memory);
    return out;
}

/* ---- the test ---- */

typedef struct child {
    pid_t pid;
    int to, from;
} child;

static child start(void) {
    int to[2], from[2];
    ck_assert(pipe(to) == 0 && pipe(from) == 0);
    child c = {fork(), to[1], from[0]};
    if (c.pid == 0) {
        struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setrlimit(RLIMIT_CORE, &all);
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        execl("/proc/self/exe", "test_masks_memory", "site", (char *)NULL);
        _exit(4);
    }
    close(to[0]);
    close(from[1]);
    return c;
}

static void tell(const child *c, const void *bytes, size_t length) {
    ck_assert_int_eq(write(c->to, bytes, length), (ssize_t)length);
}

static void expect_sign(const child *c, char sign) {
    char got = 0;
    ck_assert_int_eq(read(c->from, &got, 1), 1);
    ck_assert_int_eq(got, sign);
}

/* A whole round here, with a secret that is nowhere else. */
static void begin_round(world *w) {
    begin_world(w, COUNT_OF_SITES, THRESHOLD, WORDS);
    dt_secret_random(w->secret[ME], DT_MASKS_SECRET);
    dt_masks_close(w->masks[ME]);
    begin_site(w, ME);
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) assert_ok(one_phase(w, phase, nobody));
}

static void tell_phase(const child *c, const world *w, int phase) {
    for (int from = 0; from < COUNT_OF_SITES; from++) {
        tell(c, &w->length[phase][from], sizeof w->length[phase][from]);
        tell(c, w->sent[phase][from], w->length[phase][from]);
    }
}

START_TEST(keys_are_in_no_memory_that_is_dumped) {
    world w;
    needles all = {0};
    begin_round(&w);
    list_needles(&w, &all);
    child c = start();
    tell(&c, w.secret[ME], DT_MASKS_SECRET);
    for (int phase = 0; phase <= DT_MASKS_PHASES; phase++) {
        bool last = phase == DT_MASKS_PHASES;
        if (!last) tell_phase(&c, &w, phase);
        expect_sign(&c, last ? 'f' : (char)('0' + phase));
        counts seen = search_process(&all, c.pid);
        ck_assert_msg(seen.dumped == 0, "%d halves of keys after phase %d", seen.dumped, phase);
        ck_assert_msg(seen.hidden >= 2 * 6, "%d halves of keys where they are", seen.hidden); /* the control: */
        ck_assert_int_ge(seen.marked, 1); /* what is there is found, in both kinds of memory */
        tell(&c, "-", 1);
    }
    expect_sign(&c, 'c');
    counts seen = search_process(&all, c.pid);
    ck_assert_int_eq(seen.dumped + seen.hidden, 0);
    tell(&c, "-", 1);
    int status;
    ck_assert_int_eq(waitpid(c.pid, &status, 0), c.pid);
    ck_assert_int_eq(status, 0);
    end_world(&w);
}
END_TEST

/* The core that lies in this directory, to be freed; NULL: there is none. */
static uint8_t *read_core(size_t *length) {
    uint8_t *bytes = NULL;
    DIR *listing = opendir(".");
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (strncmp(entry->d_name, "core", 4) != 0) continue;
        FILE *file = fopen(entry->d_name, "rb");
        struct stat about;
        ck_assert(file && fstat(fileno(file), &about) == 0);
        *length = (size_t)about.st_size;
        bytes = malloc(*length);
        ck_assert_uint_eq(fread(bytes, 1, *length, file), *length);
        fclose(file);
    }
    closedir(listing);
    return bytes;
}

START_TEST(keys_are_in_no_core) {
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) {
        world w;
        needles all = {0};
        enter_directory();
        begin_round(&w);
        list_needles(&w, &all);
        child c = start();
        tell(&c, w.secret[ME], DT_MASKS_SECRET);
        for (int p = 0; p <= phase; p++) {
            tell_phase(&c, &w, p);
            expect_sign(&c, (char)('0' + p));
            tell(&c, p == phase ? "x" : "-", 1);
        }
        int status;
        ck_assert_int_eq(waitpid(c.pid, &status, 0), c.pid);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        ck_assert_msg(WCOREDUMP(status), "no core was written");
        size_t length = 0;
        uint8_t *core = read_core(&length);
        ck_assert_ptr_nonnull(core);
        ck_assert(found_marker(core, length)); /* the control */
        ck_assert_int_eq(found_in(&all, core, length, "the core"), 0);
        free(core);
        end_world(&w);
        leave_directory();
    }
}
END_TEST

/* Whether a process that dumps core leaves it in the directory it is in: the kernel's pattern is a plain name, and no
 * limit forbids it. A sanitizer's process has terabytes of mappings, and keeps its core to itself. */
static bool cores_are_here(void) {
    char pattern[128] = "";
    struct rlimit limit;
    FILE *file = fopen("/proc/sys/kernel/core_pattern", "r");
    if (!file || !fgets(pattern, sizeof pattern, file)) pattern[0] = '|';
    if (file) fclose(file);
#if defined(__SANITIZE_ADDRESS__)
    return false;
#endif
    return strncmp(pattern, "core", 4) == 0 && !strchr(pattern, '/') && getrlimit(RLIMIT_CORE, &limit) == 0 &&
           limit.rlim_max == RLIM_INFINITY;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "site") == 0) return be_a_site();
    Suite *suite = suite_create("masks_memory");
    TCase *keys = tcase_create("keys");
    tcase_add_test(keys, keys_are_in_no_memory_that_is_dumped);
    if (cores_are_here())
        tcase_add_test(keys, keys_are_in_no_core);
    else
        printf("no core is searched, only memory: this system leaves none where a test can read it\n");
    suite_add_tcase(suite, keys);
    return run_suite(suite);
}
