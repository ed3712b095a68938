/* Secure aggregation: what becomes of the sum when sites are lost at each phase, messages come twice, in another order,
 * damaged or from elsewhere, and what is seen of a change by who has all messages. */
#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../golden/masks.h"
#include "compute/kernels.h"
#include "masks_world.h"

enum { WORDS = 37, BIG = 3 * DT_STREAM_WORDS + 5 };

/* Every site has the plain sum of those whose vectors were sent. */
static void assert_sums(world *w) {
    uint32_t *sum = calloc(w->count, sizeof *sum);
    for (int i = 0; i < w->sites; i++) {
        uint64_t weight, plain_weight = 0;
        assert_ok(sum_of(w, i, sum, &weight));
        for (int k = 0; k < w->sites; k++) plain_weight += w->sent[DT_MASKS_VECTOR][k] ? w->weight[k] : 0;
        ck_assert_uint_eq(weight, plain_weight);
        for (size_t at = 0; at < w->count; at++) {
            uint32_t plain = 0;
            for (int k = 0; k < w->sites; k++) plain += w->sent[DT_MASKS_VECTOR][k] ? w->words[k][at] : 0;
            ck_assert_uint_eq(sum[at], plain);
        }
    }
    free(sum);
}

static void assert_fails(dt_status status, dt_code code, const char *says) {
    ck_assert_int_eq(status.code, code);
    ck_assert_msg(strstr(status.message, says) != NULL, "`%s` is not in: %s", says, status.message);
}

/* ---- what another program says ---- */

START_TEST(products_in_the_field_are_those_of_fips_197) {
    ck_assert_uint_eq(dt_field_product(0x57, 0x83), 0xc1);
    ck_assert_uint_eq(dt_field_product(0x57, 0x13), 0xfe);
}
END_TEST

/* All seven shares, the secret from any four of them, and from three and a fourth that is any other: any secret. */
START_TEST(shares_are_another_programs_and_three_of_four_say_nothing) {
    uint8_t secret[DT_SECRET], coefficients[3][DT_SECRET], share[7][DT_SECRET], back[DT_SECRET];
    for (int i = 0; i < DT_SECRET; i++) {
        secret[i] = (uint8_t)(i + 1);
        for (int k = 1; k < 4; k++) coefficients[k - 1][i] = (uint8_t)(37 * k + 11 * i + 5);
    }
    for (int holder = 1; holder <= 7; holder++) {
        dt_shares_deal(secret, (const uint8_t(*)[DT_SECRET])coefficients, 4, holder, share[holder - 1]);
        ck_assert_mem_eq(share[holder - 1], golden_shares[holder - 1], DT_SECRET);
    }
    int tried = 0;
    for (unsigned which = 0; which < 128; which++) {
        if (__builtin_popcount(which) != 4) continue;
        uint8_t four[4][DT_SECRET];
        int holders[4], n = 0;
        for (int i = 6; i >= 0; i--)
            if (which >> i & 1) memcpy(four[n], share[i], DT_SECRET), holders[n++] = i + 1;
        dt_shares_join((const uint8_t(*)[DT_SECRET])four, holders, 4, back);
        ck_assert_mem_eq(back, secret, DT_SECRET);
        bool seen[256] = {false};
        for (int last = 0; last < 256; last++) {
            four[3][0] = (uint8_t)last;
            dt_shares_join((const uint8_t(*)[DT_SECRET])four, holders, 4, back);
            seen[back[0]] = true;
        }
        for (int byte = 0; byte < 256; byte++) ck_assert(seen[byte]);
        tried++;
    }
    ck_assert_int_eq(tried, 35);
}
END_TEST

START_TEST(every_message_is_another_programs) {
    world w;
    int lost[SITES] = {4, 4, 4, 4};
    begin_world(&w, GOLDEN_SITES, GOLDEN_THRESHOLD, GOLDEN_WORDS);
    for (int i = 0; i < w.sites; i++) {
        for (int k = 0; k < GOLDEN_WORDS; k++) w.words[i][k] = (uint32_t)(i * 1000003 + k * 7919 - 100000);
        dt_masks_close(w.masks[i]);
        begin_site(&w, i);
    }
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) {
        for (int i = 0; i < w.sites; i++) {
            uint8_t hash[32];
            send(&w, i);
            crypto_generichash(hash, sizeof hash, w.sent[phase][i], w.length[phase][i], NULL, 0);
            ck_assert_msg(memcmp(hash, golden_messages[phase][i], sizeof hash) == 0, "%s of site %d",
                          dt_masks_phase_name(phase), i);
        }
        if (phase == DT_MASKS_VECTOR) { /* it was sent, but is not among those that count */
            free(w.sent[phase][GOLDEN_LOST]);
            w.sent[phase][GOLDEN_LOST] = NULL;
            lost[GOLDEN_LOST] = phase;
        }
        assert_ok(one_phase(&w, phase, lost));
    }
    assert_sums(&w);
    end_world(&w);
}
END_TEST

/* Of every instruction set this machine has, added and taken away, from a block on, to any length. */
START_TEST(streams_are_libsodiums) {
    enum { MOST = 1000, FROM = 32 };
    static uint8_t plain[(MOST / 256 + 1) * 1024];
    const uint8_t nonce[12] = {0};
    _Alignas(4) uint8_t key[DT_KEY];
    for (int i = 0; i < DT_KEY; i++) key[i] = (uint8_t)(i * 7 + 1);
    memset(plain, 0, sizeof plain);
    crypto_stream_chacha20_ietf_xor_ic(plain, plain, sizeof plain, nonce, FROM, key);
    for (int isa = DT_ISA_BASELINE; isa <= DT_ISA_AVX512; isa++) {
        const dt_kernels *kernels = dt_kernels_for((dt_isa)isa);
        for (int64_t n = 0; kernels && n <= MOST; n++) {
            uint32_t words[MOST + 1];
            for (uint32_t i = 0; i <= MOST; i++) words[i] = i;
            for (int minus = 0; minus < 2; minus++) {
                kernels->add_stream(words, n, (const uint32_t *)(const void *)key, FROM, minus);
                for (uint32_t i = 0; i <= MOST; i++) {
                    uint32_t sent;
                    memcpy(&sent, plain + i / 256 * 1024 + i % 16 * 64 + i / 16 % 16 * 4, 4);
                    if (words[i] != (i < n && !minus ? i + sent : i)) ck_abort_msg("word %u of %d", i, (int)n);
                }
            }
        }
    }
}
END_TEST

/* ---- sums ---- */

START_TEST(the_sum_has_the_bits_it_has_without_masks) {
    for (int sites = 3; sites <= SITES; sites++)
        for (int threshold = sites / 2 + 1; threshold <= sites; threshold++) {
            world w;
            begin_world(&w, sites, threshold, sites == 4 ? BIG : WORDS);
            run_until(&w, DT_MASKS_PHASES, nobody);
            assert_sums(&w);
            end_world(&w);
        }
}
END_TEST

/* Sites lost in every combination of phases: the phase each fails to speak in, from the first to none. */
START_TEST(sites_lost_at_any_phase_cost_at_most_the_round) {
    enum { FOUR = 4, THREE = 3 };
    int completed = 0, closed = 0;
    for (int code = 0; code < 5 * 5 * 5 * 5; code++) {
        int lost[SITES] = {code % 5, code / 5 % 5, code / 25 % 5, code / 125}, present[DT_MASKS_PHASES] = {0};
        for (int i = 0; i < FOUR; i++)
            for (int phase = 0; phase < lost[i]; phase++) present[phase]++;
        world w;
        begin_world(&w, FOUR, THREE, WORDS);
        dt_status status = dt_ok();
        for (int phase = 0; phase < DT_MASKS_PHASES && status.code == DT_OK; phase++) {
            status = one_phase(&w, phase, lost);
            ck_assert_int_eq(status.code == DT_OK, phase == DT_MASKS_OPEN || present[phase] >= THREE);
        }
        uint32_t sum[WORDS];
        uint64_t weight;
        if (status.code == DT_OK && present[DT_MASKS_OPEN] >= THREE) {
            assert_sums(&w);
            completed++;
        } else {
            closed++;
            if (status.code == DT_OK)
                for (int i = 0; i < FOUR; i++) assert_fails(sum_of(&w, i, sum, &weight), DT_ERR_STOPPED, "are needed");
        }
        end_world(&w);
    }
    ck_assert_int_eq(completed, 1 + 4 * 4);
    ck_assert_int_eq(closed, 625 - completed);
}
END_TEST

START_TEST(a_sum_that_was_not_opened_is_once_sites_come_back) {
    world w;
    int lost[SITES] = {3, 3, 4, 4, 2}; /* two open; the fifth was lost after its shares */
    begin_world(&w, 5, 3, WORDS);
    run_until(&w, DT_MASKS_PHASES, lost);
    uint32_t sum[WORDS];
    uint64_t weight;
    assert_fails(sum_of(&w, 0, sum, &weight), DT_ERR_STOPPED, "missing are: north east hill");
    send(&w, 4); /* the lost one itself may help */
    for (int i = 0; i < 5; i++) listen(&w, i);
    assert_sums(&w);
    end_world(&w);
}
END_TEST

START_TEST(of_three_sites_none_may_be_lost) {
    world w;
    int lost[SITES] = {4, 2, 4};
    begin_world(&w, 3, 2, WORDS);
    run_until(&w, DT_MASKS_VECTOR, lost);
    assert_fails(one_phase(&w, DT_MASKS_VECTOR, lost), DT_ERR_STOPPED, "of 2 sites, 3 are needed");
    send(&w, 1);
    assert_ok(one_phase(&w, DT_MASKS_VECTOR, nobody));
    assert_ok(one_phase(&w, DT_MASKS_OPEN, nobody));
    assert_sums(&w);
    end_world(&w);
}
END_TEST

START_TEST(sites_that_are_not_chosen_have_the_sum_too) {
    world w;
    begin_world(&w, 6, 4, WORDS);
    w.takes_part[1] = w.takes_part[4] = false;
    for (int i = 0; i < 6; i++) {
        dt_masks_close(w.masks[i]);
        w.round[i].threshold = 3; /* of the four that are */
        begin_site(&w, i);
        ck_assert_int_eq(dt_masks_speaks(w.masks[i]), i != 1 && i != 4);
    }
    send(&w, 0);
    assert_fails(dt_masks_hear(w.masks[2], 1, w.sent[0][0], w.length[0][0]), DT_ERR_CORRUPT,
                 "east: a message of keys in round 3, in which it is not");
    bool with_east[SITES] = {false, true, false, true};
    assert_fails(dt_masks_agree(w.masks[2], with_east, 4), DT_ERR_CORRUPT, "site east cannot be among");
    int lost[SITES] = {4, 0, 4, 4, 0, 4};
    run_until(&w, DT_MASKS_PHASES, lost);
    assert_sums(&w);
    end_world(&w);
}
END_TEST

/* ---- restarts ---- */

/* A site is killed and starts again before every one of its messages: they are the same, byte by byte. */
START_TEST(a_site_that_is_killed_anywhere_says_the_same_again) {
    world w;
    begin_world(&w, 4, 3, BIG);
    bool all[SITES] = {true, true, true, true};
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) {
        for (int i = 0; i < 4; i++) send(&w, i);
        for (int i = 0; i < 4; i++) {
            dt_masks_close(w.masks[i]);
            begin_site(&w, i);
            for (int past = 0; past < phase; past++) {
                listen(&w, i); /* its own, too, which must be the same */
                assert_ok(dt_masks_agree(w.masks[i], all, 4));
            }
            listen(&w, i);
        }
        for (int i = 0; i < 4 && phase < DT_MASKS_OPEN; i++) assert_ok(dt_masks_agree(w.masks[i], all, 4));
    }
    assert_sums(&w);
    end_world(&w);
}
END_TEST

static bool shares_a_key(const dt_masks_keys *a, const dt_masks_keys *b) {
    return memcmp(a->share_key, b->share_key, DT_KEY) == 0 || memcmp(a->mask_key, b->mask_key, DT_KEY) == 0;
}

/* Once its vector is out a site needs its change no more, only what it said. */
START_TEST(a_site_that_has_sent_its_vector_goes_on_without_its_change) {
    world w;
    begin_world(&w, 4, 4, WORDS);
    bool all[SITES] = {true, true, true, true};
    run_until(&w, DT_MASKS_OPEN, nobody);
    for (int i = 0; i < 4; i++) {
        const void *bytes;
        size_t length;
        dt_masks_close(w.masks[i]);
        assert_ok(dt_masks_open(&w.round[i], w.secret[i], NULL, 0, &w.masks[i]));
        assert_fails(dt_masks_say(w.masks[i], &bytes, &length), DT_ERR_INPUT, "has no change");
        for (int phase = 0; phase < DT_MASKS_OPEN; phase++) {
            listen(&w, i);
            assert_ok(dt_masks_agree(w.masks[i], all, 4));
        }
    }
    assert_ok(one_phase(&w, DT_MASKS_OPEN, nobody));
    assert_sums(&w);
    dt_masks_close(w.masks[0]);
    assert_ok(dt_masks_open(&w.round[0], w.secret[0], NULL, 0, &w.masks[0]));
    for (int phase = 0; phase < DT_MASKS_VECTOR; phase++) {
        listen(&w, 0);
        assert_ok(dt_masks_agree(w.masks[0], all, 4));
    }
    const void *bytes;
    size_t length;
    assert_fails(dt_masks_say(w.masks[0], &bytes, &length), DT_ERR_INPUT, "no change for round 3 any more");
    end_world(&w);
}
END_TEST

START_TEST(another_change_has_other_keys_and_is_refused_where_the_first_was_sent) {
    world w, other;
    begin_world(&w, 3, 2, WORDS);
    begin_world(&other, 3, 2, WORDS);
    send(&w, 0);
    for (int what = 0; what < 8; what++) {
        dt_masks_round *round = &other.round[0];
        *round = w.round[0];
        memcpy(other.words[0], w.words[0], WORDS * sizeof **w.words);
        other.weight[0] = w.weight[0];
        memcpy(other.secret[0], w.secret[0], DT_MASKS_SECRET);
        switch (what) {
        case 0: other.words[0][WORDS - 1] ^= 1; break;
        case 1: other.weight[0]++; break;
        case 2: round->recipe++; break;
        case 3: round->common++; break;
        case 4: round->number++; break;
        case 5: round->threshold++; break;
        case 6: other.secret[0][31] ^= 1; break;
        default: other.identities[2][0] ^= 1, round->identities = (const uint8_t(*)[32])other.identities;
        }
        dt_masks_close(other.masks[0]);
        begin_site(&other, 0);
        assert_fails(dt_masks_hear(other.masks[0], 0, w.sent[0][0], w.length[0][0]), DT_ERR_INPUT,
                     "north has sent other keys");
        send(&other, 0);
        ck_assert(!shares_a_key(w.sent[0][0], other.sent[0][0]));
    }
    end_world(&w);
    end_world(&other);
}
END_TEST

/* ---- messages that are not what they should be ---- */

START_TEST(messages_in_another_order_and_twice_change_nothing) {
    world w;
    begin_world(&w, 5, 3, WORDS);
    bool all[SITES] = {true, true, true, true, true};
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) {
        for (int i = 0; i < 5; i++) send(&w, i);
        for (int i = 0; i < 5; i++) {
            for (int turn = 0; turn < 10; turn++) {
                int from = (i + 3 * turn) % 5;
                assert_ok(dt_masks_hear(w.masks[i], from, w.sent[phase][from], w.length[phase][from]));
            }
            if (phase < DT_MASKS_OPEN) assert_ok(dt_masks_agree(w.masks[i], all, 5));
        }
    }
    assert_sums(&w);
    assert_fails(dt_masks_add(w.masks[0], 1, w.sent[2][1], w.length[2][1]), DT_ERR_INPUT, "in the sum already");
    end_world(&w);
}
END_TEST

/* Site 0 hears site 1's message of a phase with each of its bits flipped. Keys, what is sealed for others and words are
 * what they are: the signature is what holds them. */
START_TEST(a_flipped_bit_is_noticed_where_a_signature_is_not_all_that_notices_it) {
    world w;
    begin_world(&w, 4, 3, WORDS);
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) {
        for (int i = 0; i < 4; i++) send(&w, i);
        uint8_t *message = w.sent[phase][1];
        size_t noticed = 0, head = sizeof(dt_masks_head), length = w.length[phase][1];
        for (size_t bit = 0; bit < 8 * length; bit++) {
            message[bit / 8] ^= (uint8_t)(1 << bit % 8);
            dt_status status = dt_masks_hear(w.masks[0], 1, message, length);
            message[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (status.code != DT_OK) {
                noticed++;
                assert_fails(status, DT_ERR_CORRUPT, "site east");
            } else {
                memset(w.masks[0]->site[1].heard, 0, sizeof w.masks[0]->site[1].heard);
            }
        }
        size_t all = 8 * length, heads = 8 * head, own = 8 * sizeof(dt_masks_dealt);
        ck_assert_uint_eq(noticed, phase == DT_MASKS_OPEN ? all : phase == DT_MASKS_SHARES ? heads + own : heads);
        one_phase(&w, phase, nobody);
    }
    end_world(&w);
}
END_TEST

START_TEST(messages_of_other_lengths_phases_rounds_and_sites_are_refused) {
    world w, other;
    begin_world(&w, 4, 3, WORDS);
    begin_world(&other, 4, 3, WORDS);
    for (int i = 0; i < 4; i++) {
        other.round[i].number++;
        dt_masks_close(other.masks[i]);
        begin_site(&other, i);
    }
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) {
        dt_masks *masks = w.masks[0];
        for (int i = 0; i < 4; i++) send(&w, i), send(&other, i);
        size_t length = w.length[phase][1];
        uint8_t *longer = calloc(length + 1, 1);
        memcpy(longer, w.sent[phase][1], length);
        assert_fails(dt_masks_hear(masks, 1, longer, length + 1), DT_ERR_CORRUPT, "bytes instead of");
        free(longer);
        for (size_t part = 0; part < length; part++) {
            void *torn = malloc(part ? part : 1); /* of just that size, so that a sanitizer sees who reads on */
            memcpy(torn, w.sent[phase][1], part);
            assert_fails(dt_masks_hear(masks, 1, torn, part), DT_ERR_CORRUPT, "site east");
            free(torn);
        }
        assert_fails(dt_masks_hear(masks, 1, other.sent[phase][1], other.length[phase][1]), DT_ERR_CORRUPT,
                     "another round");
        for (int past = 0; past < phase; past++)
            assert_fails(dt_masks_hear(masks, 1, w.sent[past][1], w.length[past][1]), DT_ERR_CORRUPT, "first bytes");
        one_phase(&w, phase, nobody);
        one_phase(&other, phase, nobody);
    }
    end_world(&w);
    end_world(&other);
}
END_TEST

/* What one site wrote, sent by another as its own: its shares are for the first one's keys. */
START_TEST(shares_of_another_are_refused) {
    world w;
    begin_world(&w, 4, 3, WORDS);
    assert_ok(one_phase(&w, DT_MASKS_KEYS, nobody));
    for (int i = 0; i < 4; i++) send(&w, i);
    assert_fails(dt_masks_hear(w.masks[0], 1, w.sent[1][2], w.length[1][2]), DT_ERR_CORRUPT,
                 "east: its share for north is not what it says");
    end_world(&w);
}
END_TEST

START_TEST(a_site_that_says_two_things_is_named) {
    world w;
    begin_world(&w, 4, 3, WORDS);
    for (int i = 0; i < 4; i++) send(&w, i);
    assert_ok(dt_masks_hear(w.masks[0], 1, w.sent[0][1], w.length[0][1]));
    assert_fails(dt_masks_hear(w.masks[0], 1, w.sent[0][2], w.length[0][2]), DT_ERR_CORRUPT,
                 "east has sent two different");
    end_world(&w);
}
END_TEST

START_TEST(keys_with_which_everybody_agrees_are_refused) {
    world w;
    begin_world(&w, 3, 2, WORDS);
    const void *bytes;
    size_t length;
    assert_ok(dt_masks_say(w.masks[1], &bytes, &length));
    for (int which = 0; which < 2; which++) {
        dt_masks_keys message = *(const dt_masks_keys *)bytes;
        memset(which ? message.share_key : message.mask_key, 0, DT_KEY);
        assert_fails(dt_masks_hear(w.masks[0], 1, &message, sizeof message), DT_ERR_CORRUPT, "everybody agrees");
    }
    end_world(&w);
}
END_TEST

START_TEST(a_dealer_of_false_shares_is_named) {
    world w;
    begin_world(&w, 4, 3, WORDS);
    assert_ok(one_phase(&w, DT_MASKS_KEYS, nobody));
    dt_masks *liar = w.masks[2];
    uint8_t kept = liar->secrets->self[0];
    liar->secrets->self[0] ^= 1; /* what it deals is not what it masks with, and says it would be */
    for (int i = 0; i < 4; i++) send(&w, i);
    liar->secrets->self[0] = kept;
    dt_masks_hash(((dt_masks_shares *)w.sent[1][2])->self_hash, "self", liar->secrets->self, DT_SECRET);
    memcpy(liar->message, w.sent[1][2], w.length[1][2]);
    for (int phase = DT_MASKS_SHARES; phase < DT_MASKS_PHASES; phase++) one_phase(&w, phase, nobody);
    uint32_t sum[WORDS];
    uint64_t weight;
    assert_fails(sum_of(&w, 0, sum, &weight), DT_ERR_CORRUPT, "south: the shares it dealt");
    end_world(&w);
}
END_TEST

/* ---- sets ---- */

START_TEST(a_set_of_vectors_is_opened_once_and_signed_by_the_threshold) {
    world w;
    begin_world(&w, 5, 4, WORDS);
    run_until(&w, DT_MASKS_VECTOR, nobody);
    for (int i = 0; i < 5; i++) send(&w, i);
    listen(&w, 0);
    bool four[SITES] = {true, true, true, true}, all[SITES] = {true, true, true, true, true};
    bool three[SITES] = {true, true, true};
    assert_fails(dt_masks_agree(w.masks[0], three, 5), DT_ERR_STOPPED, "of 3 sites, 4 are needed");
    assert_fails(dt_masks_agree(w.masks[0], four, 3), DT_ERR_STOPPED, "3 sites have signed");
    assert_ok(dt_masks_agree(w.masks[0], four, 4));
    const void *bytes;
    size_t length;
    assert_ok(dt_masks_say(w.masks[0], &bytes, &length));
    assert_fails(dt_masks_agree(w.masks[0], all, 5), DT_ERR_INPUT, "agreed already");
    assert_fails(dt_masks_agree(w.masks[0], four, 5), DT_ERR_INPUT, "agreed already");
    end_world(&w);
}
END_TEST

START_TEST(rounds_that_masks_cannot_hide_are_refused) {
    int threshold = 0;
    assert_fails(dt_masks_check(2, &threshold), DT_ERR_INPUT, "the sum gives each the other's change");
    assert_fails(dt_masks_check(1, &threshold), DT_ERR_INPUT, "at least 3");
    assert_fails(dt_masks_check(256, &threshold), DT_ERR_INPUT, "at most 255");
    for (int sites = 3; sites <= 255; sites++) {
        threshold = 0;
        assert_ok(dt_masks_check(sites, &threshold));
        ck_assert_int_eq(threshold, sites / 2 + 1);
        threshold = sites;
        assert_ok(dt_masks_check(sites, &threshold));
        threshold = sites / 2;
        assert_fails(dt_masks_check(sites, &threshold), DT_ERR_INPUT, "more than half");
        threshold = sites + 1;
        assert_fails(dt_masks_check(sites, &threshold), DT_ERR_INPUT, "cannot be");
    }
    threshold = -1;
    assert_fails(dt_masks_check(5, &threshold), DT_ERR_INPUT, "cannot be");
}
END_TEST

/* ---- what is seen of a change ---- */

/* χ² of bytes, 255 degrees of freedom: uniform ones are above 350 once in 10^4 times, below 170 about as rarely. */
static double chi_square(const uint32_t *words, size_t count) {
    double seen[256] = {0}, sum = 0, expected = (double)count * 4 / 256;
    const uint8_t *bytes = (const uint8_t *)words;
    for (size_t i = 0; i < 4 * count; i++) seen[bytes[i]]++;
    for (int i = 0; i < 256; i++) sum += (seen[i] - expected) * (seen[i] - expected) / expected;
    return sum;
}

static void assert_uniform(const uint32_t *words, size_t count) {
    double found = chi_square(words, count);
    ck_assert_msg(found > 160 && found < 370, "chi square of 255 degrees of freedom is %g", found);
}

static const uint32_t *vector_of(const world *w, int i) {
    return ((const dt_masks_vector *)w->sent[DT_MASKS_VECTOR][i])->words;
}

START_TEST(a_masked_change_looks_like_noise_and_an_unmasked_one_does_not) {
    world w;
    begin_world(&w, 4, 3, BIG);
    run_until(&w, DT_MASKS_PHASES, nobody);
    for (int i = 0; i < 4; i++) {
        assert_uniform(vector_of(&w, i), BIG);
        ck_assert(chi_square(w.words[i], BIG) > 10000); /* the control */
        /* Neither do two of them together: pairs of masks alone would cancel in the sum of all. */
        uint32_t *both = calloc(BIG, sizeof *both);
        for (size_t k = 0; k < BIG; k++) both[k] = vector_of(&w, i)[k] + vector_of(&w, (i + 1) % 4)[k];
        assert_uniform(both, BIG);
        for (size_t k = 0; k < BIG; k++) /* nor the sum of all, which has the masks of their own */
            both[k] = vector_of(&w, 0)[k] + vector_of(&w, 1)[k] + vector_of(&w, 2)[k] + vector_of(&w, 3)[k];
        assert_uniform(both, BIG);
        free(both);
    }
    end_world(&w);
}
END_TEST

/* The others try to open a vector that came too late: they have all messages, and what all of them hold together. */
START_TEST(a_late_vector_cannot_be_opened) {
    world w;
    int late = 4, lost[SITES] = {4, 4, 4, 4, 2};
    begin_world(&w, 5, 3, BIG);
    run_until(&w, DT_MASKS_VECTOR, lost);
    send(&w, late); /* on its way while the others agree */
    void *vector = w.sent[DT_MASKS_VECTOR][late];
    size_t length = w.length[DT_MASKS_VECTOR][late];
    w.sent[DT_MASKS_VECTOR][late] = NULL;
    for (int phase = DT_MASKS_VECTOR; phase < DT_MASKS_PHASES; phase++) assert_ok(one_phase(&w, phase, lost));
    assert_sums(&w);

    dt_masks *thief = w.masks[0];
    assert_fails(dt_masks_add(thief, late, vector, length), DT_ERR_INPUT, "not in the sum");
    assert_fails(dt_masks_hear(thief, late, vector, length), DT_ERR_CORRUPT, "first bytes");
    bool all[SITES] = {true, true, true, true, true};
    assert_fails(dt_masks_agree(thief, all, 5), DT_ERR_INPUT, "agreed already");

    /* From what was opened they have its pairwise secret, hence all masks it shares with others … */
    uint8_t shares[3][DT_SECRET], secret[DT_SECRET];
    _Alignas(4) uint8_t seeds[5][DT_KEY];
    int holders[3] = {1, 2, 3};
    for (int i = 0; i < 3; i++) memcpy(shares[i], thief->site[i].opened[late], DT_SECRET);
    dt_shares_join((const uint8_t(*)[DT_SECRET])shares, holders, 3, secret);
    dt_masks_stream streams[4];
    for (int i = 0; i < 4; i++) {
        dt_masks_pair_seed(thief, i, late, secret, thief->site[i].mask_key, seeds[i]);
        streams[i] = (dt_masks_stream){seeds[i], i > late};
    }
    uint32_t *words = malloc((BIG + DT_WEIGHT_WORDS) * sizeof *words);
    memcpy(words, ((dt_masks_vector *)vector)->words, (BIG + DT_WEIGHT_WORDS) * sizeof *words);
    dt_masks_apply(words, BIG + DT_WEIGHT_WORDS, streams, 4);
    assert_uniform(words, BIG); /* … and the mask of its own is still on it: */
    dt_masks_self_seed(thief, late, w.masks[late]->secrets->self, seeds[4]);
    dt_masks_apply(words, BIG + DT_WEIGHT_WORDS, &(dt_masks_stream){seeds[4], true}, 1);
    ck_assert_mem_eq(words, w.words[late],
                     BIG * sizeof *words); /* with it, which nobody sent a share of, it would be open */
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 4; k++)
            ck_assert_mem_ne(w.masks[k]->site[i].opened[late], w.masks[i]->secrets->held[late].of[0], DT_SECRET);

    /* Two who pool what they hold (a threshold is three) have what any secret could be. */
    memcpy(shares[0], w.masks[0]->secrets->held[late].of[0], DT_SECRET);
    memcpy(shares[1], w.masks[1]->secrets->held[late].of[0], DT_SECRET);
    dt_shares_join((const uint8_t(*)[DT_SECRET])shares, holders, 2, secret);
    ck_assert_mem_ne(secret, w.masks[late]->secrets->self, DT_SECRET);
    memcpy(shares[2], w.masks[2]->secrets->held[late].of[0], DT_SECRET); /* the control: three have it */
    dt_shares_join((const uint8_t(*)[DT_SECRET])shares, holders, 3, secret);
    ck_assert_mem_eq(secret, w.masks[late]->secrets->self, DT_SECRET);
    free(words);
    free(vector);
    end_world(&w);
}
END_TEST

/* A courier shows one site two sets of those whose shares count: its two vectors have no mask in common. */
START_TEST(no_mask_covers_a_change_for_two_sets) {
    world w;
    begin_world(&w, 4, 3, BIG);
    run_until(&w, DT_MASKS_SHARES, nobody);
    for (int i = 0; i < 4; i++) send(&w, i);
    bool all[SITES] = {true, true, true, true}, three[SITES] = {true, true, true};
    listen(&w, 0);
    assert_ok(dt_masks_agree(w.masks[0], all, 4));
    send(&w, 0);
    dt_masks_close(w.masks[0]);
    begin_site(&w, 0);
    listen(&w, 0);
    assert_ok(dt_masks_agree(w.masks[0], all, 4));
    listen(&w, 0);
    assert_ok(dt_masks_agree(w.masks[0], three, 4));
    assert_fails(dt_masks_hear(w.masks[0], 0, w.sent[2][0], w.length[2][0]), DT_ERR_INPUT, "has sent other vector");
    const void *bytes;
    size_t length;
    assert_ok(dt_masks_say(w.masks[0], &bytes, &length));
    uint32_t *apart = calloc(BIG, sizeof *apart);
    for (size_t k = 0; k < BIG; k++) apart[k] = vector_of(&w, 0)[k] - ((const dt_masks_vector *)bytes)->words[k];
    assert_uniform(apart, BIG);
    free(apart);
    end_world(&w);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("masks");
    TCase *golden = tcase_create("what another program says");
    tcase_add_test(golden, products_in_the_field_are_those_of_fips_197);
    tcase_add_test(golden, shares_are_another_programs_and_three_of_four_say_nothing);
    tcase_add_test(golden, every_message_is_another_programs);
    tcase_add_test(golden, streams_are_libsodiums);
    suite_add_tcase(suite, golden);
    TCase *sums = tcase_create("sums");
    tcase_add_test(sums, the_sum_has_the_bits_it_has_without_masks);
    tcase_add_test(sums, sites_lost_at_any_phase_cost_at_most_the_round);
    tcase_add_test(sums, a_sum_that_was_not_opened_is_once_sites_come_back);
    tcase_add_test(sums, of_three_sites_none_may_be_lost);
    tcase_add_test(sums, sites_that_are_not_chosen_have_the_sum_too);
    tcase_add_test(sums, a_site_that_is_killed_anywhere_says_the_same_again);
    tcase_add_test(sums, a_site_that_has_sent_its_vector_goes_on_without_its_change);
    tcase_add_test(sums, another_change_has_other_keys_and_is_refused_where_the_first_was_sent);
    suite_add_tcase(suite, sums);
    TCase *messages = tcase_create("messages");
    tcase_add_test(messages, messages_in_another_order_and_twice_change_nothing);
    tcase_add_test(messages, a_flipped_bit_is_noticed_where_a_signature_is_not_all_that_notices_it);
    tcase_add_test(messages, messages_of_other_lengths_phases_rounds_and_sites_are_refused);
    tcase_add_test(messages, shares_of_another_are_refused);
    tcase_add_test(messages, a_site_that_says_two_things_is_named);
    tcase_add_test(messages, keys_with_which_everybody_agrees_are_refused);
    tcase_add_test(messages, a_dealer_of_false_shares_is_named);
    suite_add_tcase(suite, messages);
    TCase *sets = tcase_create("sets");
    tcase_add_test(sets, a_set_of_vectors_is_opened_once_and_signed_by_the_threshold);
    tcase_add_test(sets, rounds_that_masks_cannot_hide_are_refused);
    suite_add_tcase(suite, sets);
    TCase *seen = tcase_create("what is seen");
    tcase_add_test(seen, a_masked_change_looks_like_noise_and_an_unmasked_one_does_not);
    tcase_add_test(seen, a_late_vector_cannot_be_opened);
    tcase_add_test(seen, no_mask_covers_a_change_for_two_sets);
    suite_add_tcase(suite, seen);
    return run_suite(suite);
}
