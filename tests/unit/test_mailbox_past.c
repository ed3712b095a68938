/* Rounds of a mailbox that are over: what is sent again, what may be removed, and what never is. */
#include <check.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "site/words.h"
#include "sites.h"

#define SOON 1e-9 /* a deadline that is over at once */

static sites all;

static void begin(void) {
    enter_directory();
    begin_sites(&all, 3, 2);
    ck_assert_int_eq(mkdir("box", 0755), 0);
}

static void end(void) {
    end_sites(&all);
    leave_directory();
}

static dt_mailbox *box_of(int site, int64_t keep) {
    char records[64];
    snprintf(records, sizeof records, "records-%d", site);
    dt_mailbox_options options = {.directory = "box",
                                  .records = records,
                                  .members = &all.members,
                                  .key = all.key[site],
                                  .recipe = 0x1234,
                                  .keep = keep,
                                  .deadline = SOON};
    dt_mailbox *box;
    assert_ok(dt_mailbox_open(&box, &options));
    return box;
}

/* A look of a site in a round, and what of it is over. */
static dt_status look(int site, int64_t round, int64_t keep) {
    uint32_t words[WORDS] = {(uint32_t)site + 1, (uint32_t)round};
    uint8_t own[4 * WORDS];
    ck_assert(dt_words_pack(own, words, WORDS, 32));
    dt_gather gather = gather_of(own);
    dt_gathered gathered;
    gather.round = round;
    dt_mailbox *box = box_of(site, keep);
    dt_status status = dt_mailbox_gather(box, &gather, &gathered);
    if (status.code == DT_OK) status = dt_mailbox_tidy(box);
    dt_mailbox_close(box);
    return status;
}

/* These sites take turns, until each is done with the round. */
static void pass(int64_t round, int who, int64_t keep) {
    int done = 0;
    for (int turn = 0; turn < 12 && done != who; turn++)
        for (int site = 0; site < 3; site++)
            if (who >> site & 1 && !(done >> site & 1) && look(site, round, keep).code == DT_OK) done |= 1 << site;
    ck_assert_int_eq(done, who);
}

static bool is_there(const char *above, int64_t round, const char *file) {
    char path[80];
    struct stat about;
    snprintf(path, sizeof path, "%s/round-%08lld/%s", above, (long long)round, file);
    return stat(path, &about) == 0;
}

static void send_again(int site, int64_t keep) {
    dt_mailbox *box = box_of(site, keep);
    assert_ok(dt_mailbox_send_again(box));
    dt_mailbox_close(box);
}

/* The names in a round's directory and what is in them, as one number. */
static uint64_t content(const char *path) {
    char names[4096];
    uint64_t hash = 1469598103934665603U;
    snprintf(names, sizeof names, "%s", names_in(path));
    for (char *name = strtok(names, " "); name; name = strtok(NULL, " ")) {
        char file[200];
        size_t length;
        snprintf(file, sizeof file, "%s/%s", path, name);
        char *bytes = file_bytes(file, &length);
        for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)bytes[i]) * 1099511628211U;
        free(bytes);
    }
    return hash;
}

START_TEST(what_a_courier_lost_is_sent_again_by_who_signed_it) {
    pass(3, 7, 0);
    uint64_t before = content("box/round-00000003");
    remove_tree("box/round-00000003");
    for (int site = 0; site < 3; site++) send_again(site, 0);
    ck_assert_uint_eq(content("box/round-00000003"), before);
    size_t length; /* a torn file, too */
    char names[4096], path[200];
    snprintf(names, sizeof names, "%s", names_in("box/round-00000003"));
    snprintf(path, sizeof path, "box/round-00000003/%s", strtok(names, " "));
    char *bytes = file_bytes(path, &length);
    put_file(path, bytes, length / 2);
    free(bytes);
    for (int site = 0; site < 3; site++) send_again(site, 0);
    ck_assert_uint_eq(content("box/round-00000003"), before);
}
END_TEST

START_TEST(what_all_are_past_is_sent_no_more_and_its_copy_goes) {
    pass(3, 7, 0);
    ck_assert(is_there("records-0", 3, "part.copy"));
    pass(4, 7, 0);
    for (int site = 0; site < 3; site++) send_again(site, 0);
    ck_assert(!is_there("records-0", 3, "part.copy"));
    ck_assert(is_there("records-0", 4, "part.copy"));
    ck_assert(is_there("box", 3, "")); /* nothing is removed from a mailbox, unless it is asked for */
    ck_assert(is_there("records-0", 3, "part"));
    remove_tree("box/round-00000003");
    send_again(0, 0);
    ck_assert(!is_there("box", 3, ""));
}
END_TEST

START_TEST(a_round_stays_as_long_as_a_member_may_need_it) {
    pass(3, 7, 1);
    for (int64_t round = 4; round < 9; round++) pass(round, 3, 1); /* east is late */
    for (int64_t round = 3; round < 9; round++) ck_assert(is_there("box", round, ""));
    /* somebody says that it is not: a vote of north by east's name */
    char names[4096], north[200], east[200];
    size_t length;
    snprintf(names, sizeof names, "%s", names_in("box/round-00000008"));
    snprintf(north, sizeof north, "box/round-00000008/%s", strtok(names, " "));
    ck_assert_ptr_nonnull(strstr(north, "/north-"));
    snprintf(east, sizeof east, "box/round-00000008/east-%s", strstr(north, "north-") + 6);
    char *bytes = file_bytes(north, &length);
    put_file(east, bytes, length);
    free(bytes);
    send_again(0, 1);
    ck_assert(is_there("box", 3, ""));
    for (int64_t round = 4; round < 9; round++) pass(round, 4, 1); /* it catches up */
    send_again(0, 1);
    for (int64_t round = 3; round < 9; round++) ck_assert_int_eq(is_there("box", round, ""), round >= 7);
    ck_assert(!is_there("records-0", 6, ""));
    ck_assert(is_there("records-0", 7, ""));
}
END_TEST

START_TEST(in_a_round_that_is_removed_a_site_signs_nothing) {
    for (int64_t round = 3; round < 7; round++) pass(round, 7, 1);
    ck_assert(!is_there("box", 3, ""));
    assert_fails(look(0, 3, 1), DT_ERR_DIVERGED, "round 3 is over at all sites", "sites.keep");
    ck_assert(!is_there("box", 3, ""));
    remove_tree("records-1"); /* who has lost all is told where it stands */
    assert_fails(look(1, 3, 1), DT_ERR_STOPPED, "round 3 waits for", "signed in rounds up to 6 already");
    put_text("records-0/past", "nonsense");
    assert_fails(look(0, 6, 1), DT_ERR_CORRUPT, "records-0/past", "signs nothing");
}
END_TEST

/* Files of others' making are left where they are. */
START_TEST(what_is_no_message_is_not_removed) {
    pass(3, 7, 1);
    put_text("box/round-00000003/notes.txt", "hello");
    ck_assert_int_eq(mkdir("box/round-00000003/deep.part", 0755), 0);
    for (int64_t round = 4; round < 7; round++) pass(round, 7, 1);
    ck_assert_str_eq(names_in("box/round-00000003"), "deep.part notes.txt ");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("mailbox_past");
    TCase *tests = tcase_create("mailbox_past");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, what_a_courier_lost_is_sent_again_by_who_signed_it);
    tcase_add_test(tests, what_all_are_past_is_sent_no_more_and_its_copy_goes);
    tcase_add_test(tests, a_round_stays_as_long_as_a_member_may_need_it);
    tcase_add_test(tests, in_a_round_that_is_removed_a_site_signs_nothing);
    tcase_add_test(tests, what_is_no_message_is_not_removed);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
