/* Mailboxes: sites that send each other parts through directories agree on whose are in, whatever happens to the files.
 * A site's call with no time to wait is one look at its mailbox, as a scheduler's job has it. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "folder.h"
#include "site/words.h"
#include "sites.h"

#define SOON 1e-9 /* a deadline that is over at once */

static sites all;
static char warnings[20000];

static void listen(void *context, const char *warning) {
    (void)context;
    size_t used = strlen(warnings);
    snprintf(warnings + used, sizeof warnings - used, "%s\n", warning);
}

/* In memory where there is such a place, for a site waits for the disk after every word. */
static void enter_memory(void) {
    enter_directory();
    char on_disk[sizeof directory];
    memcpy(on_disk, directory, sizeof directory);
    strcpy(directory, "/dev/shm/dtrain-test-XXXXXX");
    if (!mkdtemp(directory) || chdir(directory) != 0)
        memcpy(directory, on_disk, sizeof directory);
    else
        rmdir(on_disk);
}

static void begin(void) {
    enter_memory();
    dt_log_setup(DT_LOG_WARN, 1);
    begin_sites(&all, 3, 2);
    warnings[0] = '\0';
    dt_log_listen(listen, NULL);
    ck_assert_int_eq(mkdir("box", 0755), 0);
}

static void end(void) {
    dt_log_listen(NULL, NULL);
    end_sites(&all);
    leave_directory();
}

/* What a site learned: words that tell it from every other. */
static void part_of(int site, uint8_t out[4 * WORDS]) {
    uint32_t words[WORDS];
    for (uint32_t i = 0; i < WORDS; i++) words[i] = (i + 1) << (4 * site);
    ck_assert(dt_words_pack(out, words, WORDS, 32));
}

typedef struct outcome {
    dt_gathered gathered;
    uint32_t sum[WORDS];
} outcome;

/* One look of a site into a mailbox, which sends `part` (NULL: its own), and what comes of it. */
static dt_status look_with(int site, const char *box, double deadline, const uint8_t *part, outcome *out) {
    char records[64];
    uint8_t own[4 * WORDS];
    snprintf(records, sizeof records, "records-%d", site);
    part_of(site, own);
    dt_mailbox_options options = {.directory = box,
                                  .records = records,
                                  .members = &all.members,
                                  .key = all.key[site],
                                  .wait = 0,
                                  .deadline = deadline};
    dt_gather gather = gather_of(part ? part : own);
    dt_mailbox *mailbox;
    memset(out, 0, sizeof *out);
    assert_ok(dt_mailbox_open(&mailbox, &options));
    dt_status status = dt_mailbox_gather(mailbox, &gather, &out->gathered);
    for (int i = 0; status.code == DT_OK && i < all.members.count; i++) {
        void *bytes;
        if (!out->gathered.in[i]) continue;
        status = dt_mailbox_fetch(mailbox, &gather, &out->gathered, i, &bytes);
        if (status.code == DT_OK) dt_words_add(out->sum, bytes, WORDS, 32);
        dt_free(bytes);
    }
    dt_mailbox_close(mailbox);
    return status;
}

static dt_status look(int site, double deadline, outcome *out) {
    return look_with(site, "box", deadline, NULL, out);
}

/* That these are in, bit by bit, and the sum is theirs. */
static void assert_in(const outcome *o, int in) {
    uint32_t sum[WORDS] = {0};
    for (int i = 0; i < all.members.count; i++) {
        uint8_t part[4 * WORDS];
        ck_assert_int_eq(o->gathered.in[i], in >> i & 1);
        part_of(i, part);
        if (in >> i & 1) dt_words_add(sum, part, WORDS, 32);
    }
    ck_assert_mem_eq(o->sum, sum, sizeof sum);
}

START_TEST(when_all_have_looked_often_enough_all_have_the_sum_of_all) {
    outcome o;
    assert_fails(look(0, 0, &o), DT_ERR_STOPPED, "round 3 waits for the parts of south, east", "box/round-00000003");
    assert_fails(look(1, 0, &o), DT_ERR_STOPPED, "waits for the parts of east", "run the same command again");
    assert_fails(look(2, 0, &o), DT_ERR_STOPPED, "waits for the votes of", "north, south");
    look(0, 0, &o);
    for (int turn = 0; turn < 2; turn++) /* and it stays so */
        for (int site = 0; site < 3; site++) {
            dt_status status = look(site, 0, &o);
            if (turn == 0 && status.code == DT_ERR_STOPPED) continue;
            assert_ok(status);
            assert_in(&o, 7);
            ck_assert_uint_eq(o.gathered.weight[2], 10);
            ck_assert_uint_eq(o.gathered.bytes, 3 * (DT_MESSAGE_HEADER + 4 * WORDS));
        }
    ck_assert_str_eq(warnings, "");
}
END_TEST

START_TEST(without_a_deadline_nobody_is_left_out) {
    outcome o;
    look(1, 0, &o);
    for (int turn = 0; turn < 5; turn++)
        for (int site = 0; site < 2; site++)
            assert_fails(look(site, 0, &o), DT_ERR_STOPPED, "waits for the parts of east", "");
}
END_TEST

START_TEST(after_the_deadline_a_quorum_goes_on_and_who_is_late_hears_of_it) {
    outcome o;
    assert_fails(look(0, SOON, &o), DT_ERR_STOPPED, "the parts of south, east", ""); /* one of three is not enough */
    look(1, SOON, &o);
    look(0, SOON, &o);
    look(1, SOON, &o);
    for (int site = 0; site < 3; site++) { /* east's part is there now, and too late */
        assert_ok(look(site, SOON, &o));
        assert_in(&o, 3);
    }
}
END_TEST

START_TEST(a_site_signs_one_part_for_a_round) {
    outcome o;
    uint8_t other[4 * WORDS] = {1};
    look(1, 0, &o);
    assert_fails(look_with(1, "box", 0, other, &o), DT_ERR_DIVERGED, "south has signed another part of round 3",
                 "does not sign a second one");
    remove_tree("box/round-00000003"); /* the records know */
    assert_fails(look_with(1, "box", 0, other, &o), DT_ERR_DIVERGED, "south has signed another part", "records-1");
    look(1, 0, &o);
    remove_tree("records-1"); /* and so does the mailbox */
    assert_fails(look_with(1, "box", 0, other, &o), DT_ERR_DIVERGED, "south has signed another part", ".part");
}
END_TEST

START_TEST(a_site_that_signs_two_parts_is_named_and_left_out_by_all) {
    outcome o;
    uint8_t other[4 * WORDS] = {1};
    look(1, SOON, &o);
    remove_tree("records-1");
    ck_assert_int_eq(rename("box/round-00000003", "kept"), 0);
    look_with(1, "box", SOON, other, &o);
    DIR *listing = opendir("kept");
    for (struct dirent *entry; (entry = readdir(listing));) {
        char path[160], copy[160];
        size_t length;
        if (!strstr(entry->d_name, ".part")) continue;
        snprintf(path, sizeof path, "kept/%.100s", entry->d_name);
        snprintf(copy, sizeof copy, "box/round-00000003/%.100s", entry->d_name);
        char *bytes = file_bytes(path, &length);
        put_file(copy, bytes, length);
        free(bytes);
    }
    closedir(listing);
    for (int turn = 0; turn < 4; turn++) {
        look(0, SOON, &o);
        look(2, SOON, &o);
    }
    assert_ok(look(0, SOON, &o));
    assert_in(&o, 5);
    assert_ok(look(2, SOON, &o));
    assert_in(&o, 5);
    ck_assert_ptr_nonnull(strstr(warnings, "site south signed two different parts of round 3"));
}
END_TEST

START_TEST(who_has_another_key_or_no_mailbox_does_not_begin) {
    sites other;
    dt_mailbox *mailbox;
    begin_sites(&other, 4, 3);
    dt_mailbox_options options = {
        .directory = "box", .records = "records", .members = &all.members, .key = other.key[1]};
    assert_fails(dt_mailbox_open(&mailbox, &options), DT_ERR_INPUT, "not the one that sites.members has for south", "");
    options.key = other.key[3];
    assert_fails(dt_mailbox_open(&mailbox, &options), DT_ERR_INPUT, "site west", "none of sites.members");
    options.key = all.key[1];
    options.directory = "none";
    assert_fails(dt_mailbox_open(&mailbox, &options), DT_ERR_INPUT, "sites.mailbox: none", "directory");
    put_text("file", "");
    options.directory = "file";
    assert_fails(dt_mailbox_open(&mailbox, &options), DT_ERR_INPUT, "sites.mailbox: file", "a regular file");
    end_sites(&other);
}
END_TEST

/* ---- whatever happens to the files ---- */

typedef struct damage {
    const char *name;
    void (*make)(const char *path, const char *bytes, size_t length, bool vote);
    const char *says; /* in a warning; NULL: none */
} damage;

static void make_missing(const char *path, const char *bytes, size_t length, bool vote) {
    (void)bytes, (void)length, (void)vote;
    unlink(path);
}

static void make_torn(const char *path, const char *bytes, size_t length, bool vote) {
    (void)vote;
    put_file(path, bytes, length - 1);
}

static void make_flipped(const char *path, const char *bytes, size_t length, bool vote) {
    (void)vote;
    char copy[4096];
    memcpy(copy, bytes, length);
    copy[DT_MESSAGE_HEADER + 9] ^= 16;
    put_file(path, copy, length);
}

/* What the same site signed with other numbers; `key` of the sites that sign. */
static void put_signed(const char *path, const char *bytes, size_t length, dt_message_wanted wanted, sites *by) {
    uint8_t header[DT_MESSAGE_HEADER];
    dt_message message;
    int site = dt_members_find(&all.members, bytes + 16);
    wanted.members = &by->members;
    assert_ok(dt_message_seal(&wanted, site, by->key[site], 10, bytes + DT_MESSAGE_HEADER, length - DT_MESSAGE_HEADER,
                              header, &message));
    put_file(path, header, sizeof header);
    FILE *file = fopen(path, "ab");
    ck_assert(fwrite(bytes + DT_MESSAGE_HEADER, 1, length - DT_MESSAGE_HEADER, file) == length - DT_MESSAGE_HEADER);
    fclose(file);
}

static dt_message_wanted wanted_here(bool vote) {
    dt_message_wanted wanted = wanted_of(&all);
    if (vote) wanted.kind = DT_MESSAGE_VOTE, wanted.bits = 0, wanted.count = 0;
    return wanted;
}

static void make_replayed(const char *path, const char *bytes, size_t length, bool vote) {
    dt_message_wanted wanted = wanted_here(vote);
    wanted.round = 2;
    put_signed(path, bytes, length, wanted, &all);
}

static void make_forged(const char *path, const char *bytes, size_t length, bool vote) {
    sites other;
    begin_sites(&other, 3, 2);
    put_signed(path, bytes, length, wanted_here(vote), &other);
    end_sites(&other);
}

static void make_foreign(const char *path, const char *bytes, size_t length, bool vote) {
    dt_message_wanted wanted = wanted_here(vote);
    wanted.recipe++;
    put_signed(path, bytes, length, wanted, &all);
}

static void make_parted(const char *path, const char *bytes, size_t length, bool vote) {
    dt_message_wanted wanted = wanted_here(vote);
    wanted.common++;
    put_signed(path, bytes, length, wanted, &all);
}

static void make_huge(const char *path, const char *bytes, size_t length, bool vote) {
    (void)vote;
    put_file(path, bytes, length);
    ck_assert_int_eq(truncate(path, (off_t)1 << 42), 0);
}

static void make_hostile(const char *path, const char *bytes, size_t length, bool vote) {
    (void)bytes, (void)length, (void)vote;
    char hdf5[5000] = "\x89HDF\r\n\x1a\n";
    memset(hdf5 + 8, 0xff, sizeof hdf5 - 8);
    put_file(path, hdf5, sizeof hdf5);
}

static void make_pipe(const char *path, const char *bytes, size_t length, bool vote) {
    (void)bytes, (void)length, (void)vote;
    ck_assert(unlink(path) == 0 && mkfifo(path, 0600) == 0);
}

static const damage damages[] = {
    {"missing", make_missing, NULL},
    {"torn", make_torn, "is torn"},
    {"bit flipped", make_flipped, "is not what was signed"},
    {"replayed", make_replayed, "sent for something else before: round 2"},
    {"another key", make_forged, "was not signed with its key"},
    {"another recipe", make_foreign, "of another recipe"},
    {"another state", make_parted, "from another common state"},
    {"huge", make_huge, "behind its end"},
    {"hostile HDF5", make_hostile, "but an HDF5 file"},
    {"a pipe", make_pipe, "a named pipe"},
};

/* A round that is over at all three sites; its files. */
static int finish_round(char names[16][128]) {
    outcome o;
    end_sites(&all);
    begin_sites(&all, 3, 3); /* then no vote can be done without */
    for (int turn = 0; turn < 3; turn++)
        for (int site = 0; site < 3; site++) look(site, 0, &o);
    DIR *listing = opendir("box/round-00000003");
    int count = 0;
    for (struct dirent *entry; (entry = readdir(listing));)
        if (entry->d_name[0] != '.') snprintf(names[count++], 128, "box/round-00000003/%.100s", entry->d_name);
    closedir(listing);
    ck_assert_int_eq(count, 6); /* three parts, three reports */
    return count;
}

/* Every file of a round, damaged in every way: another site that looks has the sum of all, or waits and says for whom,
 * and names the file; never another sum. Once the file's own site has looked again all is well. */
START_TEST(whatever_happens_to_any_file_no_sum_is_wrong) {
    const damage *d = &damages[_i];
    char names[16][128];
    int count = finish_round(names);
    for (int f = 0; f < count; f++) {
        size_t length;
        outcome o;
        bool vote = strstr(names[f], ".vote") != NULL;
        char *bytes = file_bytes(names[f], &length);
        int owner = dt_members_find(&all.members, bytes + 16), reader = (owner + 1) % 3;
        warnings[0] = '\0';
        d->make(names[f], bytes, length, vote);
        dt_status status = look(reader, 0, &o);
        if (status.code == DT_OK)
            assert_in(&o, 7); /* a vote that was counted before it went */
        else
            assert_fails(status, DT_ERR_STOPPED, vote ? "waits for the votes of" : "waits for the parts of",
                         site_names[owner]);
        ck_assert(status.code == DT_OK ? vote : true);
        if (d->says && status.code != DT_OK)
            ck_assert_msg(strstr(warnings, d->says) && strstr(warnings, strrchr(names[f], '/') + 1), "%s: %s", d->name,
                          warnings);
        status = look(owner, 0, &o); /* it sends again what it signed */
        assert_ok(status);
        assert_in(&o, 7);
        assert_ok(look(reader, 0, &o));
        assert_in(&o, 7);
        size_t again;
        char *back = file_bytes(names[f], &again);
        ck_assert(again == length && memcmp(back, bytes, length) == 0);
        free(back);
        free(bytes);
    }
}
END_TEST

/* The same where the reader has decided nothing yet: with nothing kept of what it decided. */
START_TEST(whatever_happens_to_any_file_nothing_is_decided_on_it) {
    const damage *d = &damages[_i];
    char names[16][128];
    int count = finish_round(names);
    for (int f = 0; f < count; f++) {
        size_t length;
        outcome o;
        char *bytes = file_bytes(names[f], &length);
        int owner = dt_members_find(&all.members, bytes + 16), reader = (owner + 1) % 3;
        char decision[64];
        snprintf(decision, sizeof decision, "records-%d/round-00000003/decision", reader);
        unlink(decision);
        d->make(names[f], bytes, length, strstr(names[f], ".vote") != NULL);
        assert_fails(look(reader, 0, &o), DT_ERR_STOPPED, "waits for the", site_names[owner]);
        unlink(names[f]);
        put_file(names[f], bytes, length);
        assert_ok(look(reader, 0, &o));
        assert_in(&o, 7);
        free(bytes);
    }
}
END_TEST

START_TEST(other_files_are_passed_over) {
    outcome o;
    look(0, 0, &o);
    put_text("box/round-00000003/notes.txt", "hello");
    put_text("box/round-00000003/.south-12.part.a8X", "on its way");
    put_text("box/round-00000003/south-12.part.tmp", "on its way");
    look(0, 0, &o);
    ck_assert_str_eq(warnings, "");
    for (int i = 0; i < 500; i++) {
        char name[80];
        snprintf(name, sizeof name, "box/round-00000003/%d.part", i);
        put_text(name, "junk");
    }
    assert_fails(look(0, 0, &o), DT_ERR_STOPPED, "south, east", "");
    ck_assert_ptr_nonnull(strstr(warnings, "more than 192 files of parts and votes"));
}
END_TEST

/* ---- couriers ---- */

static uint64_t state;

static int draw(int below) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((state >> 33) % (uint64_t)below);
}

/* A courier takes a file from one mailbox to another, now and then only a part of it at first. */
static void carry(int from, int to, bool everything) {
    char source[64], target[64], path[256], copy[256];
    snprintf(source, sizeof source, "box%d/round-00000003", from);
    snprintf(target, sizeof target, "box%d", to);
    mkdir(target, 0755);
    snprintf(target, sizeof target, "box%d/round-00000003", to);
    mkdir(target, 0755);
    DIR *listing = opendir(source);
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        if (entry->d_name[0] == '.' || (!everything && draw(3))) continue;
        snprintf(path, sizeof path, "%s/%.120s", source, entry->d_name);
        snprintf(copy, sizeof copy, "%s/%.120s", target, entry->d_name);
        size_t length;
        char *bytes = file_bytes(path, &length);
        struct stat there;
        size_t taken = everything || draw(4) ? length : (size_t)draw((int)length + 1);
        if (stat(copy, &there) != 0 || (size_t)there.st_size < taken) put_file(copy, bytes, taken);
        free(bytes);
    }
    if (listing) closedir(listing);
}

/* Five sites with mailboxes of their own and couriers that come at random; one of the sites may stop for good on the
 * way. */
START_TEST(couriers_in_any_order_make_one_outcome) {
    end_sites(&all);
    begin_sites(&all, 5, 3);
    state = (uint64_t)_i * 977 + 5;
    int gone = draw(2) ? draw(5) : -1, decided = 0;
    outcome first = {0}, o;
    for (int i = 0; i < 5; i++) {
        char box[16];
        snprintf(box, sizeof box, "box%d", i);
        ck_assert_int_eq(mkdir(box, 0755), 0);
    }
    for (int event = 0; event < 200 + 5 * 40; event++) {
        int site = event < 200 ? draw(5) : event % 5, other = draw(5);
        bool carries = event < 200 && draw(2);
        if (event >= 200)
            for (other = 0; other < 5; other++)
                if (other != site) carry(other, site, true);
        if (carries && site != other) carry(other, site, false);
        if (carries || (site == gone && event > 20)) continue;
        char box[16];
        snprintf(box, sizeof box, "box%d", site);
        dt_status status = look_with(site, box, event > 60 && draw(2) ? SOON : 1e9, NULL, &o);
        if (status.code == DT_ERR_STOPPED) continue;
        assert_ok(status);
        if (!decided) first = o;
        decided |= 1 << site;
        ck_assert_mem_eq(o.gathered.in, first.gathered.in, sizeof o.gathered.in);
        ck_assert_mem_eq(o.sum, first.sum, sizeof o.sum);
    }
    for (int site = 0; site < 5; site++) ck_assert(decided >> site & 1 || site == gone);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("mailbox");
    TCase *tests = tcase_create("mailbox");
    tcase_set_timeout(tests, 20);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, when_all_have_looked_often_enough_all_have_the_sum_of_all);
    tcase_add_test(tests, without_a_deadline_nobody_is_left_out);
    tcase_add_test(tests, after_the_deadline_a_quorum_goes_on_and_who_is_late_hears_of_it);
    tcase_add_test(tests, a_site_signs_one_part_for_a_round);
    tcase_add_test(tests, a_site_that_signs_two_parts_is_named_and_left_out_by_all);
    tcase_add_test(tests, who_has_another_key_or_no_mailbox_does_not_begin);
    tcase_add_loop_test(tests, whatever_happens_to_any_file_no_sum_is_wrong, 0, COUNT(damages));
    tcase_add_loop_test(tests, whatever_happens_to_any_file_nothing_is_decided_on_it, 0, COUNT(damages));
    tcase_add_test(tests, other_files_are_passed_over);
    tcase_add_loop_test(tests, couriers_in_any_order_make_one_outcome, 0, 8);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
