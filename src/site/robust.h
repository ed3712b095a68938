/* Sums of sites' changes that a few hostile sites cannot move at will. Where the mean follows any one site anywhere,
 * these stay near what most of them say:
 *   trimmed(f)     of every word the f least and the f largest are left out (Yin et al. 2018, arXiv:1803.01498)
 *   median         the middle one of every word, or of an even number the two in the middle
 *   krum(f)        the one change whose n-f-2 nearest others are nearest, in squared distances (Blanchard et al. 2017)
 *   multi-krum(f)  the n-f-2 first by that measure (El Mhamdi et al. 2018, arXiv:1802.07927)
 * All of them count every site once: a weight is a site's own word, and a hostile one would claim what it likes. All
 * are integers, so they are the same at every site and in every order of computing them. They need the changes one by
 * one, which masks hide: a sum can be robust or secret, not both. */
#ifndef DTRAIN_ROBUST_H
#define DTRAIN_ROBUST_H

#include <stdbool.h>

#include "base/status.h"
#include "site/exchange.h"

typedef enum dt_robust_kind {
    DT_ROBUST_NONE,
    DT_ROBUST_TRIMMED,
    DT_ROBUST_MEDIAN,
    DT_ROBUST_KRUM,
    DT_ROBUST_MULTI_KRUM
} dt_robust_kind;

typedef struct dt_robust {
    dt_robust_kind kind;
    int64_t f; /* hostile sites that it stands; 0 of none and median */
} dt_robust;

/* From "none", "trimmed(1)", "median", "krum(2)", "multi-krum(2)". The failure says what would be right, not of what:
 * see dt_status_within. */
dt_status dt_robust_read(dt_robust *out, const char *text);
/* That so many sites are enough: trimmed needs 2f+1, krum and multi-krum 2f+3, so that the others are a majority. */
dt_status dt_robust_check(const dt_robust *robust, int64_t sites);

/* What is made of changes[n] of `count` words each: words[count], which are the sum of *weight changes, exactly, modulo
 * 2^32. They cannot wrap where no word of an honest site can in the sum of all, and at most f sites are hostile: every
 * word that counts then lies between two of honest sites (krum: is one of some site's). `counted` [n], of krum: whose
 * changes are in it; the others have all true. Failures: dt_robust_check's, and memory. */
dt_status dt_robust_sum(const dt_robust *robust, const dt_change *changes, int n, size_t count, uint32_t *words,
                        uint64_t *weight, bool *counted);

#endif
