/* What a tally says in words: the figures of messages and of the machine-readable lines, and which of them there are
 * for a loss and its targets. */
#include "figures.h"

#include <math.h>

#include "base/append.h"

double dt_perplexity(const dt_tally *tally, const dt_source *source) {
    return source->about.predicts_tokens ? exp(dt_tally_loss(tally)) : (double)NAN;
}

double dt_bits_per_char(const dt_tally *tally, const dt_source *source) {
    double chars = source->about.chars;
    return chars > 0 ? dt_tally_loss(tally) / log(2) / chars : (double)NAN;
}

bool dt_has_accuracy(const dt_source *source, dt_loss loss) {
    return loss != DT_LOSS_MEAN_SQUARED_ERROR || (source->targets.labels && source->targets.classes > 1);
}

bool dt_has_top5(const dt_source *source, dt_loss loss) {
    bool classes = source->targets.labels ? dt_has_accuracy(source, loss) : loss == DT_LOSS_SOFTMAX_CROSS_ENTROPY;
    return classes && (source->targets.labels ? source->targets.classes : source->targets.width) > 5;
}

double dt_tally_share(int64_t part, const dt_tally *tally) {
    return tally->samples > 0 ? (double)part / (double)tally->samples : (double)NAN;
}

/* " test_loss=0.123456"; a number of more digits than anybody reads (a perplexity of e^700) has an exponent. */
static void put(char *out, size_t size, const char *prefix, const char *key, int decimals, double value) {
    dt_append(out, size, fabs(value) < 1e15 ? " %s%s=%.*f" : " %s%s=%.*e", prefix, key, decimals, value);
}

void dt_loss_text(char *out, size_t size, const char *prefix, const dt_tally *tally) {
    out[0] = '\0';
    put(out, size, prefix, "loss", 6, dt_tally_loss(tally));
}

void dt_tally_text(char *out, size_t size, const char *prefix, const dt_tally *tally, dt_loss loss,
                   const dt_source *source, bool all) {
    double perplexity = dt_perplexity(tally, source), bits = dt_bits_per_char(tally, source);
    dt_loss_text(out, size, prefix, tally);
    if (dt_has_accuracy(source, loss)) put(out, size, prefix, "accuracy", 4, dt_tally_share(tally->correct, tally));
    if (!isnan(perplexity)) put(out, size, prefix, "perplexity", 4, perplexity);
    if (!all) return;
    if (!isnan(bits)) put(out, size, prefix, "bits_per_char", 4, bits);
    if (dt_has_top5(source, loss)) put(out, size, prefix, "top5", 4, dt_tally_share(tally->correct_top5, tally));
    if (loss != DT_LOSS_SOFTMAX_CROSS_ENTROPY) put(out, size, prefix, "mae", 6, dt_tally_abs_error(tally));
}
