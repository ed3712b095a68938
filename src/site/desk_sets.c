/* Which parts are here, and sets of them. */
#include <sodium.h>
#include <string.h>

#include "base/memory.h"
#include "desk.h"

const dt_letter *dt_desk_part(const dt_desk *desk, int member, const uint8_t *id) {
    for (int i = 0; i < desk->count; i++) {
        const dt_letter *letter = &desk->letters[i];
        if (letter->there && !letter->vote && letter->fault == DT_MESSAGE_SOUND && letter->message.member == member &&
            (!id || memcmp(letter->message.id, id, DT_MESSAGE_ID) == 0))
            return letter;
    }
    return NULL;
}

int dt_desk_enough(const dt_desk *desk) {
    int expected = 0, members = desk->members->count;
    for (int i = 0; i < members; i++) expected += desk->gather->expected[i];
    int enough = (expected * desk->members->quorum + members - 1) / members;
    if (enough < desk->gather->fewest) enough = desk->gather->fewest;
    return enough > 0 ? enough : 1;
}

static void assess(dt_desk *desk, int set) {
    dt_agreement_set *about = &desk->about[set];
    about->parts = 0;
    about->usable = true;
    for (int i = 0; i < desk->members->count; i++) {
        const uint8_t *id = desk->sets[set].of[i];
        if (sodium_is_zero(id, DT_MESSAGE_ID)) continue;
        about->parts++;
        about->usable = about->usable && !desk->doubled[i] && dt_desk_part(desk, i, id) != NULL;
    }
    about->usable = about->usable && about->parts >= dt_desk_enough(desk);
}

static dt_status grow_sets(dt_desk *desk) {
    if (desk->set_count < desk->set_room) return dt_ok();
    int room = desk->set_room ? 2 * desk->set_room : 8;
    dt_part_ids *sets = dt_alloc((size_t)room, sizeof *sets);
    dt_agreement_set *about = dt_alloc((size_t)room, sizeof *about);
    if (!sets || !about) {
        dt_free(sets);
        dt_free(about);
        return dt_fail_memory("the sets of a round", (size_t)room * sizeof *sets);
    }
    if (desk->set_count) {
        memcpy(sets, desk->sets, (size_t)desk->set_count * sizeof *sets);
        memcpy(about, desk->about, (size_t)desk->set_count * sizeof *about);
    }
    dt_free(desk->sets);
    dt_free(desk->about);
    desk->sets = sets;
    desk->about = about;
    desk->set_room = room;
    return dt_ok();
}

void dt_desk_assess(dt_desk *desk) {
    for (int i = 0; i < desk->set_count; i++) assess(desk, i);
}

dt_status dt_desk_set(dt_desk *desk, const dt_part_ids *ids, int *set) {
    for (*set = 0; *set < desk->set_count; ++*set)
        if (memcmp(&desk->sets[*set], ids, sizeof *ids) == 0) return dt_ok();
    DT_TRY(grow_sets(desk));
    uint8_t hash[32];
    crypto_generichash(hash, sizeof hash, (const uint8_t *)ids, sizeof *ids, NULL, 0);
    *set = desk->set_count++;
    desk->sets[*set] = *ids;
    memset(&desk->about[*set], 0, sizeof *desk->about);
    for (int i = 0; i < 8; i++) desk->about[*set].order |= (uint64_t)hash[i] << (8 * i);
    assess(desk, *set);
    return dt_ok();
}
