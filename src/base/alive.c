/* Signs of life. */
#include "base/alive.h"

#include <stddef.h>

static _Atomic uint64_t own_count;
static _Atomic int own_waits, own_spoken;

_Atomic uint64_t *dt_alive_count = &own_count;
_Atomic int *dt_alive_waits = &own_waits;
_Atomic int *dt_alive_spoken = &own_spoken;

void dt_alive_in(_Atomic uint64_t *count, _Atomic int *waits, _Atomic int *spoken) {
    dt_alive_count = count ? count : &own_count;
    dt_alive_waits = waits ? waits : &own_waits;
    dt_alive_spoken = spoken ? spoken : &own_spoken;
}

bool dt_alive_last_words(void) {
    int silent = 0;
    return atomic_compare_exchange_strong(dt_alive_spoken, &silent, 1);
}
