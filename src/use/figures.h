/* What a tally says in words (figures.c). */
#ifndef DTRAIN_FIGURES_H
#define DTRAIN_FIGURES_H

#include "data/source.h"

/* e^loss, where tokens are predicted; else NaN. */
double dt_perplexity(const dt_tally *tally, const dt_source *source);
/* Bits for a character of the text; NaN when its characters were not counted. */
double dt_bits_per_char(const dt_tally *tally, const dt_source *source);
/* Whether outputs are right or wrong: classes are chosen, or one half decides. And whether top-5 is more than that. */
bool dt_has_accuracy(const dt_source *source, dt_loss loss);
bool dt_has_top5(const dt_source *source, dt_loss loss);
/* part/samples; NaN when there are none. */
double dt_tally_share(int64_t part, const dt_tally *tally);
/* " train_loss=…" alone. */
void dt_loss_text(char *out, size_t size, const char *prefix, const dt_tally *tally);
#define DT_FIGURES 320 /* bytes that the figures of a tally fit into */
/* " test_loss=… test_accuracy=…": the keys that apply to this loss and these targets, each with `prefix`; with `all`
 * also top-5 accuracy, mean absolute error and bits per character. */
void dt_tally_text(char *out, size_t size, const char *prefix, const dt_tally *tally, dt_loss loss,
                   const dt_source *source, bool all);

#endif
