/* A message of a site, as a part or a vote, in a mailbox where a site looks: signed by a member or by nobody. An
 * input's first byte says what it is and which bytes of it are signed anew, so that mutations come past the signature.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#include "base/log.h"
#include "base/memory.h"
#include "site/mailbox.h"

#define WORDS 8
enum { SIGNS = 1, VOTES = 2, HASHES = 4, ROUND = 3 };

static dt_site_key *keys[2];
static dt_members members;
static const bool both[DT_MOST_MEMBERS] = {true, true};

static void begin(void) {
    char text[2][DT_PUBLIC_TEXT], recipe[400];
    dt_yaml *tree;
    static const char *const names[] = {"north", "south"};
    dt_log_setup(DT_LOG_QUIET, 0);
    for (int i = 0; i < 2; i++) {
        if (dt_site_key_make(&keys[i], names[i]).code != DT_OK) abort();
        dt_public_key_text(dt_site_key_public(keys[i]), text[i]);
    }
    snprintf(recipe, sizeof recipe, "north: %s\nsouth: %s\n", text[0], text[1]);
    if (dt_yaml_parse_text(&tree, "members", recipe).code != DT_OK) abort();
    if (dt_members_decode(&members, tree, 2, true).code != DT_OK) abort();
    dt_yaml_destroy(tree);
    if (mkdir("box", 0700) != 0 || mkdir("box/round-00000003", 0700) != 0) abort();
}

/* The group's hash, the payload's and the signature are what a member would have put there. */
static void sign(uint8_t *bytes, size_t size, int how) {
    uint8_t header[DT_MESSAGE_HEADER];
    dt_message sealed;
    if (size < DT_MESSAGE_HEADER) return;
    dt_message_wanted wanted = {.members = &members, .kind = DT_MESSAGE_PART};
    if (dt_message_seal(&wanted, 1, keys[1], 0, bytes + DT_MESSAGE_HEADER, size - DT_MESSAGE_HEADER, header, &sealed)
            .code != DT_OK)
        abort();
    memcpy(bytes + 112, header + 112, 16);
    if (how & HASHES) memcpy(bytes + 144, header + 144, 40);
    dt_site_sign(keys[1], bytes, 192, bytes + 192);
}

static void look(const void *own) {
    const dt_mailbox_options options = {.directory = "box", .records = "records", .members = &members, .key = keys[0]};
    const dt_gather gather = {.round = ROUND,
                              .common = 5,
                              .recipe = 7,
                              .expected = both,
                              .bits = 8,
                              .count = WORDS,
                              .least = WORDS,
                              .most = WORDS,
                              .own = own,
                              .own_bytes = WORDS,
                              .weight = 1};
    dt_mailbox *box;
    dt_gathered gathered;
    if (dt_mailbox_open(&box, &options).code != DT_OK) abort();
    dt_status status = dt_mailbox_gather(box, &gather, &gathered);
    fuzz_check(status);
    if (status.code == DT_OK) abort(); /* south alone cannot close the round for both: north's vote is not there */
    dt_mailbox_close(box);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!keys[0]) begin();
    if (size == 0) return 0;
    uint8_t *bytes = malloc(size);
    if (!bytes) abort();
    memcpy(bytes, data, size);
    if (data[0] & SIGNS) sign(bytes + 1, size - 1, data[0]);
    const char *name = data[0] & VOTES ? "box/round-00000003/x.vote" : "box/round-00000003/x.part";
    fuzz_write(name, bytes + 1, size - 1);
    free(bytes);
    dt_message_wanted wanted = {.members = &members,
                                .kind = DT_MESSAGE_PART,
                                .round = ROUND,
                                .common = 5,
                                .recipe = 7,
                                .bits = 8,
                                .count = WORDS,
                                .least = WORDS,
                                .most = WORDS};
    dt_message message;
    void *payload;
    dt_message_fault fault;
    dt_status status = dt_message_read(name, &wanted, &message, &payload, &fault);
    fuzz_check(status);
    if ((status.code == DT_OK) != (fault == DT_MESSAGE_SOUND) || (payload != NULL) != (status.code == DT_OK)) abort();
    if (status.code == DT_OK && (message.length != WORDS || message.member != 1)) abort();
    dt_free(payload);
    look(NULL);
    unlink(name);
    return 0;
}
