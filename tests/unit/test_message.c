/* Messages of sites as files: what is written comes back, and of whatever else may lie there nothing is believed, each
 * fault in words of its own. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "folder.h"
#include "site/words.h"
#include "sites.h"

static sites all;
static uint8_t part[4 * WORDS];

static void begin(void) {
    enter_directory();
    begin_sites(&all, 3, 2);
    for (int i = 0; i < COUNT(part); i++) part[i] = (uint8_t)(i * 7);
}

static void end(void) {
    end_sites(&all);
    leave_directory();
}

/* A message of south's at `path`, of what is wanted. */
static dt_message put_message(const char *path, const dt_message_wanted *wanted, const dt_site_key *key, int member) {
    uint8_t header[DT_MESSAGE_HEADER];
    dt_message message;
    assert_ok(dt_message_seal(wanted, member, key, 10, part, sizeof part, header, &message));
    assert_ok(dt_message_write(path, header, part, sizeof part));
    return message;
}

static void put_sound(const char *path) {
    dt_message_wanted wanted = wanted_of(&all);
    put_message(path, &wanted, all.key[1], 1);
}

/* That the file is refused for this reason, in a line that names it and says this; with and without its payload. */
static void assert_fault(const char *path, dt_message_fault fault, const char *says) {
    dt_message_wanted wanted = wanted_of(&all);
    for (int whole = 0; whole < 2; whole++) {
        void *payload = part;
        dt_message message;
        dt_message_fault found;
        dt_status status = dt_message_read(path, &wanted, &message, whole ? &payload : NULL, &found);
        assert_fails(status, DT_ERR_CORRUPT, path, says);
        ck_assert_int_eq(found, fault);
        ck_assert(!whole || payload == NULL);
    }
}

START_TEST(a_message_comes_back_as_it_was) {
    dt_message_wanted wanted = wanted_of(&all);
    dt_message written = put_message("x.part", &wanted, all.key[1], 1), read;
    void *payload;
    dt_message_fault fault = DT_MESSAGE_GONE;
    assert_ok(dt_message_read("x.part", &wanted, &read, &payload, &fault));
    ck_assert_int_eq(fault, DT_MESSAGE_SOUND);
    ck_assert_mem_eq(payload, part, sizeof part);
    ck_assert_mem_eq(read.id, written.id, sizeof read.id);
    ck_assert_int_eq(read.member, 1);
    ck_assert_uint_eq(read.weight, 10);
    ck_assert_int_eq(read.round, 3);
    dt_free(payload);
    assert_ok(dt_message_read("x.part", &wanted, &read, NULL, &fault));
    ck_assert_str_eq(names_in("."), "x.part ");
}
END_TEST

START_TEST(the_same_said_again_is_the_same_file) {
    size_t first, second;
    put_sound("x.part");
    put_sound("y.part");
    char *x = file_bytes("x.part", &first), *y = file_bytes("y.part", &second);
    ck_assert_uint_eq(first, DT_MESSAGE_HEADER + sizeof part);
    ck_assert(first == second && memcmp(x, y, first) == 0);
    free(x);
    free(y);
}
END_TEST

START_TEST(a_file_that_is_cut_anywhere_is_torn) {
    size_t length;
    put_sound("x.part");
    char *bytes = file_bytes("x.part", &length);
    for (size_t cut = 0; cut < length; cut += cut < 300 ? 3 : 17) {
        put_file("cut.part", bytes, cut);
        assert_fault("cut.part", DT_MESSAGE_TORN, "is torn");
    }
    put_file("long.part", bytes, length + 1);
    assert_fault("long.part", DT_MESSAGE_SIZE, "1 bytes behind its end");
    free(bytes);
}
END_TEST

START_TEST(any_bit_that_is_flipped_is_noticed) {
    dt_message_wanted wanted = wanted_of(&all);
    size_t length;
    put_sound("x.part");
    char *bytes = file_bytes("x.part", &length);
    for (size_t bit = 0; bit < 8 * length; bit += bit < 8 * DT_MESSAGE_HEADER ? 5 : 97) {
        dt_message message;
        dt_message_fault fault;
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        put_file("x.part", bytes, length);
        dt_status status = dt_message_read("x.part", &wanted, &message, NULL, &fault);
        ck_assert_msg(status.code == DT_ERR_CORRUPT, "bit %zu", bit);
        ck_assert_msg(fault == DT_MESSAGE_FORGED || fault == DT_MESSAGE_GARBAGE || fault == DT_MESSAGE_FOREIGN ||
                          (bit >= 8 * DT_MESSAGE_HEADER && fault == DT_MESSAGE_ALTERED),
                      "bit %zu: %d", bit, fault);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    bytes[DT_MESSAGE_HEADER + 77] ^= 1;
    put_file("x.part", bytes, length);
    assert_fault("x.part", DT_MESSAGE_ALTERED, "site south is not what was signed");
    bytes[DT_MESSAGE_HEADER + 77] ^= 1;
    bytes[100] ^= 1;
    put_file("x.part", bytes, length);
    assert_fault("x.part", DT_MESSAGE_FORGED, "a bit of it was flipped");
    free(bytes);
}
END_TEST

START_TEST(what_was_signed_for_something_else_does_not_count) {
    dt_message_wanted other = wanted_of(&all);
    other.round = 2;
    put_message("x.part", &other, all.key[1], 1);
    assert_fault("x.part", DT_MESSAGE_REPLAYED, "site south was sent for something else before: round 2");
    other = wanted_of(&all);
    other.stage = 1;
    put_message("x.part", &other, all.key[1], 1);
    assert_fault("x.part", DT_MESSAGE_REPLAYED, "stage 1");
    other = wanted_of(&all);
    other.kind = DT_MESSAGE_VOTE;
    put_message("x.part", &other, all.key[1], 1);
    assert_fault("x.part", DT_MESSAGE_REPLAYED, "kind 2");
    other = wanted_of(&all);
    other.common++;
    put_message("x.part", &other, all.key[1], 1);
    assert_fault("x.part", DT_MESSAGE_PARTED, "site south begins round 3 from another common state");
    other = wanted_of(&all);
    other.recipe++;
    put_message("x.part", &other, all.key[1], 1);
    assert_fault("x.part", DT_MESSAGE_RECIPE, "site south is of another recipe");
}
END_TEST

START_TEST(only_a_members_own_key_signs_for_it) {
    sites other;
    begin_sites(&other, 3, 2);
    dt_message_wanted wanted = wanted_of(&all), theirs = wanted_of(&other);
    uint8_t header[DT_MESSAGE_HEADER];
    dt_message message;
    assert_fails(dt_message_seal(&wanted, 1, all.key[0], 10, part, sizeof part, header, &message), DT_ERR_INPUT,
                 "for south", "dtrain keys show");
    put_message("x.part", &theirs, other.key[1], 1); /* a site of the same name with a key of its own */
    assert_fault("x.part", DT_MESSAGE_FORGED, "site south, and was not signed with its key");
    end_sites(&other);
    begin_sites(&other, 5, 3);
    theirs = wanted_of(&other);
    put_message("x.part", &theirs, other.key[4], 4);
    assert_fault("x.part", DT_MESSAGE_FOREIGN, "site \"up\", which is none of sites.members");
    end_sites(&other);
    dt_members more = all.members; /* the same keys, another quorum */
    more.group[0] ^= 1;
    wanted.members = &more;
    put_message("x.part", &wanted, all.key[1], 1);
    assert_fault("x.part", DT_MESSAGE_RECIPE, "other members, keys or quorum");
}
END_TEST

START_TEST(signed_sizes_are_the_rounds_before_memory_is_taken) {
    dt_message_wanted other = wanted_of(&all);
    other.count = UINT64_MAX / 4;
    put_message("x.part", &other, all.key[1], 1);
    assert_fault("x.part", DT_MESSAGE_SIZE, "site south has 4611686018427387903 words");
    other = wanted_of(&all);
    other.bits = 8;
    put_message("x.part", &other, all.key[1], 1);
    assert_fault("x.part", DT_MESSAGE_SIZE, "words of 8 bits");
    uint8_t header[DT_MESSAGE_HEADER];
    dt_message message;
    other = wanted_of(&all);
    assert_ok(dt_message_seal(&other, 1, all.key[1], 10, part, sizeof part - 4, header, &message));
    assert_ok(dt_message_write("x.part", header, part, sizeof part - 4));
    assert_fault("x.part", DT_MESSAGE_SIZE, "in 396 bytes");
    put_sound("x.part"); /* a sparse file of terabytes */
    ck_assert_int_eq(truncate("x.part", (off_t)1 << 42), 0);
    assert_fault("x.part", DT_MESSAGE_SIZE, "bytes behind its end");
}
END_TEST

START_TEST(what_is_no_message_costs_a_look) {
    static const char hdf5[400] = "\x89HDF\r\n\x1a\n";
    static const char zeros[400];
    char words[400];
    memset(words, 'a', sizeof words);
    put_file("x.part", hdf5, sizeof hdf5);
    assert_fault("x.part", DT_MESSAGE_GARBAGE, "no message of a site, but an HDF5 file");
    put_file("x.part", zeros, sizeof zeros);
    assert_fault("x.part", DT_MESSAGE_GARBAGE, "but zeros");
    put_file("x.part", words, sizeof words);
    assert_fault("x.part", DT_MESSAGE_GARBAGE, "but something else");
    ck_assert_int_eq(mkfifo("pipe.part", 0600), 0);
    assert_fault("pipe.part", DT_MESSAGE_NO_FILE, "a named pipe");
    ck_assert_int_eq(mkdir("folder.part", 0700), 0);
    assert_fault("folder.part", DT_MESSAGE_NO_FILE, "a directory");
    put_sound("sound");
    ck_assert_int_eq(symlink("sound", "link.part"), 0);
    assert_fault("link.part", DT_MESSAGE_NO_FILE, "a symbolic link");
    ck_assert_int_eq(symlink("/dev/zero", "device.part"), 0);
    assert_fault("device.part", DT_MESSAGE_NO_FILE, "a symbolic link");
    assert_fault("none.part", DT_MESSAGE_GONE, "is not there");
}
END_TEST

START_TEST(names_in_a_message_move_no_cursor) {
    size_t length;
    put_sound("x.part");
    char *bytes = file_bytes("x.part", &length);
    bytes[16] = '\x1b';
    put_file("\x1b[2J.part", bytes, length);
    dt_message_wanted wanted = wanted_of(&all);
    dt_message message;
    dt_status status = dt_message_read("\x1b[2J.part", &wanted, &message, NULL, NULL);
    assert_fails(status, DT_ERR_CORRUPT, "\\x1bouth", "none of sites.members");
    ck_assert_ptr_null(strchr(status.message, '\x1b'));
    free(bytes);
}
END_TEST

START_TEST(words_of_few_bits_come_back_with_their_signs) {
    static const int bits[] = {32, 8, 4};
    for (int b = 0; b < COUNT(bits); b++)
        for (size_t count = 0; count < 9; count++) {
            uint32_t words[9], back[9], sum[9];
            uint8_t bytes[36];
            int64_t least = -(INT64_C(1) << (bits[b] - 1));
            for (size_t i = 0; i < count; i++) words[i] = (uint32_t)(i % 3 == 0 ? least : i % 3 == 1 ? -least - 1 : -1);
            memset(bytes, 0xee, sizeof bytes);
            ck_assert(dt_words_pack(bytes, words, count, bits[b]));
            ck_assert_uint_eq(bytes[dt_words_bytes(count, bits[b])], 0xee);
            dt_words_unpack(back, bytes, count, bits[b]);
            memcpy(sum, words, sizeof sum);
            dt_words_add(sum, bytes, count, bits[b]);
            for (size_t i = 0; i < count; i++) {
                ck_assert_uint_eq(back[i], words[i]);
                ck_assert_uint_eq(sum[i], 2 * words[i]);
            }
        }
    uint8_t byte[2];
    ck_assert(!dt_words_pack(byte, (const uint32_t[]){128}, 1, 8));
    ck_assert(!dt_words_pack(byte, (const uint32_t[]){(uint32_t)-9}, 1, 4));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("message");
    TCase *tests = tcase_create("message");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, a_message_comes_back_as_it_was);
    tcase_add_test(tests, the_same_said_again_is_the_same_file);
    tcase_add_test(tests, a_file_that_is_cut_anywhere_is_torn);
    tcase_add_test(tests, any_bit_that_is_flipped_is_noticed);
    tcase_add_test(tests, what_was_signed_for_something_else_does_not_count);
    tcase_add_test(tests, only_a_members_own_key_signs_for_it);
    tcase_add_test(tests, signed_sizes_are_the_rounds_before_memory_is_taken);
    tcase_add_test(tests, what_is_no_message_costs_a_look);
    tcase_add_test(tests, names_in_a_message_move_no_cursor);
    tcase_add_test(tests, words_of_few_bits_come_back_with_their_signs);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
