#include "site/chosen.h"

#include "base/random.h"

static uint64_t draw(int64_t seed, dt_purpose purpose, int64_t round, int site) {
    uint32_t words[4];
    dt_stream_block(words, dt_stream_at((uint64_t)seed, purpose, (uint64_t)round, 0), (uint64_t)site, 0);
    return (uint64_t)words[1] << 32 | words[0];
}

/* Selection sampling (Fan, Muller and Rezucha 1962; Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S): a
 * site is taken with the probability that one of those still wanted is it. */
void dt_sites_choose(bool *takes_part, int sites, int chosen, int64_t seed, int64_t round) {
    for (int site = 0; site < sites; site++) {
        uint64_t left = (uint64_t)(sites - site);
        uint64_t below = (draw(seed, DT_RANDOM_ROUND, round, site) >> 24) * left >> 40; /* left is below 2^24 */
        takes_part[site] = below < (uint64_t)chosen;
        chosen -= takes_part[site];
    }
}

int64_t dt_site_seed(int64_t seed, int site) {
    return site == 0 ? seed : (int64_t)(draw(seed, DT_RANDOM_SITE, 0, site) >> 1);
}
