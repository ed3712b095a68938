/* Slips of the pen, other spellings of a word, and initials are near; nothing else is suggested. */
#include "suggest.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 32 /* longer words are not compared */

static int least(int a, int b) {
    return a < b ? a : b;
}

/* Letters to insert, drop, change or swap to make one word the other (optimal string alignment). */
static int edits(const char *a, const char *b) {
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > WORD_MAX || m > WORD_MAX) return DT_SUGGEST_NONE;
    int d[WORD_MAX + 1][WORD_MAX + 1];
    for (int i = 0; i <= n; i++) d[i][0] = i;
    for (int j = 0; j <= m; j++) d[0][j] = j;
    for (int i = 1; i <= n; i++)
        for (int j = 1; j <= m; j++) {
            d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

/* Whether `part` is one of the words of `whole` ("decay" of "weight_decay"), or begins it ("optim", "optimizer"). */
static bool is_word_of(const char *part, const char *whole) {
    size_t length = strlen(part);
    if (length >= 3 && strncmp(part, whole, length) == 0) return true;
    for (const char *word = whole; word; word = strchr(word, '_')) {
        word += *word == '_';
        if (length > 0 && strcspn(word, "_") == length && strncmp(word, part, length) == 0) return true;
    }
    return false;
}

/* Whether `letters` are the first letters of the words of `whole` ("lr" of "learning_rate"). */
static bool are_initials_of(const char *letters, const char *whole) {
    const char *word = whole;
    for (; *letters; letters++) {
        if (!word || *word != *letters) return false;
        word = strchr(word, '_');
        if (word) word++;
    }
    return !word && strchr(whole, '_');
}

static bool related(const char *a, const char *b) {
    return is_word_of(a, b) || is_word_of(b, a) || are_initials_of(a, b) || are_initials_of(b, a);
}

/* How far a known key is from an unknown one; negative when too far to be meant. The same group counts as nearer. */
static int distance(const char *unknown, const char *known) {
    const char *a = strrchr(unknown, '.'), *b = strrchr(known, '.');
    size_t group_a = a ? (size_t)(a - unknown) : 0, group_b = b ? (size_t)(b - known) : 0;
    bool same_group = group_a == group_b && strncmp(unknown, known, group_a) == 0;
    a = a ? a + 1 : unknown;
    b = b ? b + 1 : known;
    int apart = edits(a, b), allowed = (int)(strlen(a) > strlen(b) ? strlen(a) : strlen(b)) / 3;
    if (apart > allowed) apart = related(a, b) ? 2 : -1;
    return apart < 0 ? -1 : 2 * apart + !same_group;
}

void dt_suggest(const char *unknown, const char *known, char nearest[DT_TEXT_MAX], int *best) {
    for (size_t end = strcspn(known, ".");; end += 1 + strcspn(known + end + 1, ".")) {
        char key[DT_TEXT_MAX];
        snprintf(key, sizeof key, "%.*s", (int)end, known);
        int score = distance(unknown, key);
        if (score >= 0 && score < *best) {
            *best = score;
            snprintf(nearest, DT_TEXT_MAX, "%s", key);
        }
        if (known[end] == '\0') return;
    }
}
