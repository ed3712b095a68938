/* A small table of kinds; beyond it every warning is shown, for there cannot be many of so many. */
#include "base/repeats.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define KINDS 64
#define TEXT 512

typedef struct kind {
    char first[TEXT], last[TEXT];
    int64_t count, hidden;
} kind;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static kind kinds[KINDS];
static int kind_count;

/* Bytes of the number a text begins with, 0: none. */
static size_t number_length(const char *text) {
    return isdigit((unsigned char)*text) ? strspn(text, "0123456789.") : 0;
}

bool dt_repeats_alike(const char *a, const char *b) {
    while (*a && *b) {
        size_t of_a = number_length(a), of_b = number_length(b);
        if ((of_a > 0) != (of_b > 0)) return false;
        if (of_a == 0 && *a != *b) return false;
        a += of_a ? of_a : 1;
        b += of_b ? of_b : 1;
    }
    return *a == *b;
}

static kind *find(const char *text) {
    for (int i = 0; i < kind_count; i++)
        if (dt_repeats_alike(kinds[i].first, text)) return &kinds[i];
    if (kind_count == KINDS) return NULL;
    snprintf(kinds[kind_count].first, TEXT, "%s", text);
    return &kinds[kind_count++];
}

static bool is_power_of_ten(int64_t count) {
    while (count % 10 == 0) count /= 10;
    return count == 1;
}

bool dt_repeats_take(const char *text, int64_t *count) {
    char cut[TEXT];
    snprintf(cut, TEXT, "%s", text);
    pthread_mutex_lock(&lock);
    kind *k = find(cut);
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
