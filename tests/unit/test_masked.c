/* Masked rounds through a mailbox: sites that are called in any order, each of which gives up at once where something
 * is missing and begins anew at its next call, as one that was killed does. */
#include <time.h>

#include "base/memory.h"
#include "folder.h"
#include "reference.h"
#include "site/exchange_masked.h"
#include "site/masks.h"
#include "sites.h"

enum { LONG = 5000 };

typedef struct round_of {
    sites s;
    int count;
    dt_round round;
    bool chosen[DT_MOST_MEMBERS];
    uint32_t *words[SITES_MOST];
    double deadline;
    dt_exchanged sum[SITES_MOST];
    uint32_t got[SITES_MOST][LONG];
    bool in[SITES_MOST][DT_MOST_MEMBERS];
    bool done[SITES_MOST];
} round_of;

static void begin_round(round_of *r, int count, int quorum, double deadline) {
    *r = (round_of){.count = count, .deadline = deadline};
    enter_directory();
    ck_assert_int_eq(mkdir("box", 0777), 0);
    begin_sites(&r->s, count, quorum);
    for (int i = 0; i < count; i++) {
        r->chosen[i] = true;
        r->words[i] = calloc(LONG, sizeof **r->words);
        for (uint64_t k = 0; k < LONG; k++) r->words[i][k] = (uint32_t)(int32_t)(ref_uniform((uint64_t)i, k) * 1e6);
    }
    r->round = (dt_round){.number = 3,
                          .common = 0xabcd,
                          .recipe = 0x1234,
                          .sites = count,
                          .takes_part = r->chosen,
                          .chosen = count,
                          .count = LONG,
                          .bits = 32};
}

static void end_round(round_of *r) {
    for (int i = 0; i < r->count; i++) {
        free(r->words[i]);
    }
    end_sites(&r->s);
    leave_directory();
}

/* One call of a site's command: everything is opened anew, and closed. */
static dt_status call(round_of *r, int i) {
    char records[32];
    dt_ranks alone = dt_ranks_alone();
    dt_masked_sites at = {.members = &r->s.members, .key = r->s.key[i]};
    dt_change change = {.site = i, .words = r->words[i], .weight = 100 * (uint64_t)(i + 1)};
    dt_exchange exchange;
    dt_exchanged sum;
    snprintf(records, sizeof records, "records-%d", i);
    dt_mailbox_options options = {
        .directory = "box", .records = records, .members = &r->s.members, .key = r->s.key[i], .deadline = r->deadline};
    assert_ok(dt_mailbox_open(&at.box, &options));
    assert_ok(dt_exchange_masked(&exchange, &alone, &at));
    assert_ok(exchange.begin(exchange.own, &r->round, false));
    if (r->chosen[i]) assert_ok(exchange.add(exchange.own, &change));
    dt_status status = exchange.finish(exchange.own, &sum);
    if (status.code == DT_OK) {
        r->done[i] = true;
        r->sum[i] = sum;
        memcpy(r->got[i], sum.words, sizeof r->got[i]);
        memcpy(r->in[i], sum.took_part, sizeof r->in[i]);
    }
    exchange.close(exchange.own);
    return status;
}

static void must_go_on(dt_status status) {
    ck_assert_msg(status.code == DT_OK || status.code == DT_ERR_STOPPED, "%s", status.message);
}

/* Calls the sites that are not done, in an order that `seed` gives, until those `of` are. */
static void call_until_done(round_of *r, uint64_t seed, const bool *of) {
    for (uint64_t turn = 0;; turn++) {
        bool all = true;
        ck_assert_uint_lt(turn, 5000); /* a round that nobody can finish any more */
        for (int i = 0; i < r->count; i++) all = all && (r->done[i] || !of[i]);
        if (all) return;
        int i = (int)((ref_uniform(seed, turn) + 1) / 2 * r->count) % r->count;
        if (of[i] && !r->done[i]) must_go_on(call(r, i));
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

/* All that are done have the plain sum of `in`. */
static void assert_sum_of(const round_of *r, const bool *in) {
    for (int i = 0; i < r->count; i++) {
        uint64_t weight = 0;
        if (!r->done[i]) continue;
        for (int k = 0; k < r->count; k++) {
            ck_assert_int_eq(r->in[i][k], in[k]);
            weight += in[k] ? 100 * (uint64_t)(k + 1) : 0;
        }
        ck_assert_uint_eq(r->sum[i].weight, weight);
        ck_assert_uint_eq(r->sum[i].bytes, r->sum[0].bytes);
        for (int at = 0; at < LONG; at++) {
            uint32_t plain = 0;
            for (int k = 0; k < r->count; k++) plain += in[k] ? r->words[k][at] : 0;
            if (r->got[i][at] != plain) ck_abort_msg("word %d of site %d", at, i);
        }
    }
}

START_TEST(sites_that_begin_anew_at_every_message_have_the_plain_sum) {
    for (int count = 3; count <= 5; count++) {
        round_of r;
        begin_round(&r, count, 0, 0);
        call_until_done(&r, (uint64_t)count, everybody);
        assert_sum_of(&r, everybody);
        end_round(&r);
    }
}
END_TEST

/* Whether a site's message of a stage is in the mailbox. */
static bool has_sent(const char *name, int stage) {
    char directory_of[64];
    bool sent = false;
    snprintf(directory_of, sizeof directory_of, stage ? "box/round-00000003-%d" : "box/round-00000003", stage);
    DIR *listing = opendir(directory_of);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        sent = sent || (strncmp(entry->d_name, name, strlen(name)) == 0 && strstr(entry->d_name, ".part"));
    if (listing) closedir(listing);
    return sent;
}

/* A site of four dies once it has sent its shares; the others get by without it. It comes back when they are done. */
START_TEST(a_site_that_is_lost_after_its_shares_costs_its_part_of_the_round) {
    round_of r;
    const bool three[DT_MOST_MEMBERS] = {true, true, true};
    begin_round(&r, 4, 3, 0.05);
    for (int i = 0; !has_sent(site_names[3], DT_MASKS_SHARES); i++) must_go_on(call(&r, i % 4));
    ck_assert(!has_sent(site_names[3], DT_MASKS_VECTOR));
    call_until_done(&r, 4, three);
    assert_sum_of(&r, three);
    call_until_done(&r, 5, everybody);
    assert_sum_of(&r, three); /* it has the same sum, without its own change */
    end_round(&r);
}
END_TEST

START_TEST(of_three_sites_one_that_is_lost_is_waited_for) {
    round_of r;
    begin_round(&r, 3, 2, 0.05);
    for (int i = 0; !has_sent(site_names[2], DT_MASKS_SHARES); i++) must_go_on(call(&r, i % 3));
    for (int i = 0; i < 40 && !(has_sent("north", DT_MASKS_OPEN) || has_sent("south", DT_MASKS_OPEN)); i++) {
        dt_status status = call(&r, i % 2);
        ck_assert_int_eq(status.code, DT_ERR_STOPPED);
        nanosleep(&(struct timespec){0, 10000000}, NULL); /* the deadline passes several times */
    }
    ck_assert(!has_sent("north", DT_MASKS_OPEN) && !has_sent("south", DT_MASKS_OPEN));
    call_until_done(&r, 6, everybody); /* it comes back */
    assert_sum_of(&r, everybody);
    end_round(&r);
}
END_TEST

START_TEST(another_change_than_was_begun_with_is_refused) {
    round_of r;
    begin_round(&r, 3, 0, 0);
    must_go_on(call(&r, 0));
    r.words[0][LONG - 1] ^= 1;
    dt_status status = call(&r, 0);
    ck_assert_msg(status.code != DT_OK && status.code != DT_ERR_STOPPED, "%s", status.message);
    end_round(&r);
}
END_TEST

START_TEST(changes_one_by_one_are_refused) {
    dt_ranks alone = dt_ranks_alone();
    dt_masked_sites at = {0};
    dt_exchange exchange;
    dt_round round = {0};
    assert_ok(dt_exchange_masked(&exchange, &alone, &at));
    dt_status status = exchange.begin(exchange.own, &round, true);
    ck_assert(status.code == DT_ERR_INPUT && strstr(status.message, "sites.robust") != NULL);
    exchange.close(exchange.own);
}
END_TEST

START_TEST(members_that_masks_cannot_serve_are_refused) {
    sites s;
    begin_sites(&s, 4, 3);
    assert_ok(dt_masked_check(&s.members, 4, 0));
    assert_ok(dt_masked_check(&s.members, 4, 3));
    ck_assert_ptr_nonnull(strstr(dt_masked_check(&s.members, 4, 4).message, "at most as many"));
    ck_assert_ptr_nonnull(strstr(dt_masked_check(&s.members, 2, 0).message, "sites.masks: masks need at least 3"));
    end_sites(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("masked");
    TCase *rounds = tcase_create("rounds");
    tcase_set_timeout(rounds, 60);
    tcase_add_test(rounds, sites_that_begin_anew_at_every_message_have_the_plain_sum);
    tcase_add_test(rounds, a_site_that_is_lost_after_its_shares_costs_its_part_of_the_round);
    tcase_add_test(rounds, of_three_sites_one_that_is_lost_is_waited_for);
    tcase_add_test(rounds, another_change_than_was_begun_with_is_refused);
    tcase_add_test(rounds, changes_one_by_one_are_refused);
    tcase_add_test(rounds, members_that_masks_cannot_serve_are_refused);
    suite_add_tcase(suite, rounds);
    return run_suite(suite);
}
