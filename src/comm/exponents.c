#include "exponents.h"

#include <math.h>

#define BUCKET_ZERO 32
#define ROOM_MOST (DT_ROOM_BUCKETS - BUCKET_ZERO - 1) /* or more: the last bucket has no end */
#define HEADROOM 2
#define LOW 1
#define HIGH 4
#define WINDOW 16
#define KEEP 22 /* bits a shard's gradient must keep */

int dt_exponent_bucket(double limit, double largest, int k) {
    int room = ilogb(limit / ldexp(largest, k));
    return (room > ROOM_MOST ? ROOM_MOST : room < -BUCKET_ZERO ? -BUCKET_ZERO : room) + BUCKET_ZERO;
}

int dt_exponent_room(const int shards[DT_ROOM_BUCKETS]) {
    double bound = 0; /* of Σ|q|, as a share of the limit */
    for (int b = 0; b < DT_ROOM_BUCKETS; b++)
        if (shards[b] > 0) bound += ldexp(shards[b], BUCKET_ZERO - b);
    return bound > 0 ? ilogb(1 / bound) : DT_ROOM_FREE;
}

int dt_exponent_coarse(double limit, int64_t shards) {
    int spare = ilogb(limit / (double)shards) - KEEP;
    int endless = ilogb(ldexp(1, ROOM_MOST) / (double)shards); /* the least that shards all in the last bucket have */
    int coarse = spare < endless ? spare : endless - 1;
    return coarse > HIGH ? coarse : HIGH;
}

void dt_exponents_begin(dt_exponent *exponents, int count, int first) {
    for (int i = 0; i < count; i++) exponents[i] = (dt_exponent){first, DT_ROOM_FREE};
    exponents[count] = (dt_exponent){0, 0};
}

/* So that of `room` HEADROOM is left. */
static void settle(dt_exponent *e, int room) {
    int k = e->k + room - HEADROOM;
    e->k = k > DT_EXPONENT_MOST ? DT_EXPONENT_MOST : k < -DT_EXPONENT_MOST ? -DT_EXPONENT_MOST : k;
    e->room = DT_ROOM_FREE;
}

bool dt_exponents_repair(dt_exponent *exponents, const int *rooms, int count, int coarse) {
    bool redo = false;
    for (int i = 0; i < count; i++) {
        int before = exponents[i].k;
        if (rooms[i] >= 0 && (rooms[i] <= coarse || rooms[i] == DT_ROOM_FREE)) continue;
        settle(&exponents[i], rooms[i]);
        redo = redo || exponents[i].k != before;
    }
    return redo;
}

void dt_exponents_adapt(dt_exponent *exponents, const int *rooms, int count) {
    int32_t *window = &exponents[count].k;
    bool closes = ++*window == WINDOW;
    if (closes) *window = 0;
    for (int i = 0; i < count; i++) {
        dt_exponent *e = &exponents[i];
        if (rooms[i] == DT_ROOM_FREE) continue;
        if (rooms[i] < LOW || rooms[i] > HIGH)
            settle(e, rooms[i]);
        else if (rooms[i] < e->room)
            e->room = rooms[i];
        if (!closes) continue;
        if (e->room > HEADROOM && e->room < DT_ROOM_FREE) settle(e, e->room);
        e->room = DT_ROOM_FREE;
    }
}
