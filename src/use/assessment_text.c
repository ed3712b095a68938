/* An assessment in lines for a terminal of 100 columns. A table of more classes than anybody reads is of those told
 * worst, and a confusion matrix that is too wide is the pairs most often confused; a file of --json has all. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assessment.h"
#include "base/escape.h"
#include "base/memory.h"

#define MOST_LINES 40 /* classes of a table */
#define WORST 20      /* of more */
#define MOST_WIDE 12  /* classes of a matrix */
#define MOST_PAIRS 10
#define NAME 20 /* columns */

typedef struct printer {
    FILE *out;
    const dt_assessment *a;
    dt_class_namer name;
    const void *context;
} printer;

/* In NAME columns, whatever it has in it; a longer one loses its middle. */
static const char *name_of(const printer *p, int64_t class, char shown[NAME + 1]) {
    char room[24];
    return dt_escape_name(shown, NAME + 1, p->name(p->context, class, room));
}

/* The columns that a UTF-8 text is behind its bytes. */
static int extra_bytes(const char *text) {
    int extra = 0;
    for (; *text; text++) extra += ((unsigned char)*text & 0xc0) == 0x80;
    return extra;
}

static void print_row(const printer *p, const char *name, const dt_class_figures *f, bool counts) {
    fprintf(p->out, "  %-*s  %9.4f  %6.4f  %6.4f", NAME + extra_bytes(name), name, f->precision, f->recall, f->f1);
    if (counts) fprintf(p->out, "  %9lld  %9lld", (long long)f->samples, (long long)f->chosen);
    fputc('\n', p->out);
}

static const dt_assessment *sorted_by;

/* The lowest F1 first, then the earlier class. */
static int by_f1(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    double x = sorted_by->of_class[a].f1, y = sorted_by->of_class[b].f1;
    return x < y ? -1 : x > y ? 1 : (a > b) - (a < b);
}

static void print_classes(const printer *p, int64_t *order) {
    const dt_assessment *a = p->a;
    int64_t there = 0, shown;
    for (int64_t c = 0; c < a->classes; c++)
        if (a->of_class[c].samples + a->of_class[c].chosen > 0) order[there++] = c;
    shown = there;
    if (there > MOST_LINES) {
        sorted_by = a;
        qsort(order, (size_t)there, sizeof *order, by_f1);
        shown = WORST;
    }
    fprintf(p->out, "  %-*s  precision  recall      f1    samples     chosen\n", NAME, "class");
    for (int64_t i = 0; i < shown; i++) {
        char name[NAME + 1];
        print_row(p, name_of(p, order[i], name), &a->of_class[order[i]], true);
    }
    if (shown < there)
        fprintf(p->out, "  (the %d classes of %lld with the lowest F1; --json has all)\n", WORST, (long long)there);
}

static void print_matrix(const printer *p) {
    const dt_assessment *a = p->a;
    fprintf(p->out, "  confusion: in lines what it is, in columns what was chosen\n  %-*s", NAME, "");
    for (int64_t c = 0; c < a->classes; c++) {
        char name[NAME + 1], room[24];
        dt_escape_name(name, 7, p->name(p->context, c, room));
        fprintf(p->out, " %*s", 6 + extra_bytes(name), name);
    }
    fputc('\n', p->out);
    for (int64_t i = 0; i < a->classes; i++) {
        char name[NAME + 1];
        name_of(p, i, name);
        fprintf(p->out, "  %-*s", NAME + extra_bytes(name), name);
        for (int64_t j = 0; j < a->classes; j++) fprintf(p->out, " %6lld", (long long)a->confusion[i * a->classes + j]);
        fputc('\n', p->out);
    }
}

/* The pairs of most samples; the earlier among equals. */
static void print_pairs(const printer *p) {
    const dt_assessment *a = p->a;
    int64_t last = INT64_MAX, last_at = -1;
    fprintf(p->out, "  most often confused (--json has all)\n");
    for (int n = 0; n < MOST_PAIRS; n++) {
        int64_t best = 0, best_at = -1;
        for (int64_t at = 0; at < a->classes * a->classes; at++) {
            int64_t count = a->confusion[at];
            bool left = count < last || (count == last && at > last_at);
            if (at / a->classes != at % a->classes && count > best && left) best = count, best_at = at;
        }
        if (best_at < 0) break;
        char is[NAME + 1], said[NAME + 1];
        fprintf(p->out, "  %9lld  %s as %s\n", (long long)best, name_of(p, best_at / a->classes, is),
                name_of(p, best_at % a->classes, said));
        last = best;
        last_at = best_at;
    }
}

static void print_values(const printer *p) {
    const dt_assessment *a = p->a;
    fprintf(p->out, "  output           mae            rmse          r2\n");
    for (int64_t j = 0; j < a->values && j < MOST_LINES; j++) {
        const dt_value_figures *f = &a->of_value[j];
        fprintf(p->out, "  %6lld  %14.6g  %14.6g", (long long)j, f->mae, f->rmse);
        fprintf(p->out, isnan(f->r2) ? "           -\n" : "  %10.6f\n", f->r2);
    }
    if (a->values > MOST_LINES)
        fprintf(p->out, "  (the first %d of %lld; --json has all)\n", MOST_LINES, (long long)a->values);
}

static void print_all(const printer *p, int64_t *order, bool terse) {
    const dt_assessment *a = p->a;
    if (a->classes > 0 && !terse) print_classes(p, order);
    if (a->classes > 0 && terse) fprintf(p->out, "  %-*s  precision  recall      f1\n", NAME, "over all classes");
    if (a->classes > 0) print_row(p, "macro", &a->macro, false);
    if (a->classes > 0) print_row(p, "weighted", &a->weighted, false);
    if (a->confusion && !terse && a->classes <= MOST_WIDE) print_matrix(p);
    if (a->confusion && !terse && a->classes > MOST_WIDE) print_pairs(p);
    if (!isnan(a->auc)) fprintf(p->out, "  roc_auc %.6f\n", a->auc);
    if (!isnan(a->ece)) fprintf(p->out, "  calibration error (ece, %d bins) %.6f\n", DT_ASSESSMENT_BINS, a->ece);
    if (a->values > 0) print_values(p);
}

char *dt_assessment_text(const dt_assessment *a, dt_class_namer name, const void *context, bool terse) {
    char *text = NULL;
    size_t bytes;
    int64_t *order = dt_alloc((size_t)a->classes + 1, sizeof *order);
    printer p = {open_memstream(&text, &bytes), a, name, context};
    if (p.out && order) print_all(&p, order, terse);
    bool written = p.out && order && !ferror(p.out);
    if (p.out && fclose(p.out) != 0) written = false;
    dt_free(order);
    if (written) return text;
    free(text);
    return NULL;
}
