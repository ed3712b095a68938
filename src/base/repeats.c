/* A small table of kinds; beyond it every warning is shown, for there cannot be many of so many. */
#include "base/repeats.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define KINDS 64
#define TEXT 512

typedef struct kind {
    char key[TEXT], last[TEXT];
    int64_t count, hidden;
} kind;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static kind kinds[KINDS];
static int kind_count;

/* The text with each number as one #. */
static void make_key(char out[TEXT], const char *text) {
    size_t used = 0;
    for (; *text && used + 1 < TEXT; text++) {
        bool digit = isdigit((unsigned char)*text) != 0;
        if (digit && used > 0 && out[used - 1] == '#') continue;
        out[used++] = digit ? '#' : *text;
    }
    out[used] = '\0';
}

static kind *find(const char *key) {
    for (int i = 0; i < kind_count; i++)
        if (strcmp(kinds[i].key, key) == 0) return &kinds[i];
    if (kind_count == KINDS) return NULL;
    snprintf(kinds[kind_count].key, TEXT, "%s", key);
    return &kinds[kind_count++];
}

static bool is_power_of_ten(int64_t count) {
    while (count % 10 == 0) count /= 10;
    return count == 1;
}

bool dt_repeats_take(const char *text, int64_t *count) {
    char key[TEXT];
    make_key(key, text);
    pthread_mutex_lock(&lock);
    kind *k = find(key);
    *count = k ? ++k->count : 1;
    bool shows = *count <= DT_REPEATS_SHOWN || is_power_of_ten(*count);
    if (!shows) {
        k->hidden++;
        snprintf(k->last, TEXT, "%s", text);
    }
    pthread_mutex_unlock(&lock);
    return shows;
}

void dt_repeats_tell(void (*say)(int64_t count, const char *text)) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < kind_count; i++) {
        if (kinds[i].hidden > 0) say(kinds[i].hidden, kinds[i].last);
        kinds[i].hidden = 0;
    }
    pthread_mutex_unlock(&lock);
}
