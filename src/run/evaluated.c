#include "evaluated.h"

#include <math.h>
#include <stdio.h>

#include "store/checkpoint.h"
#include "use/assessment_json.h"
#include "use/figures.h"

const char *dt_evaluated_class(const void *evaluated, int64_t class, char room[24]) {
    const dt_classes *known = ((const dt_evaluated *)evaluated)->classes;
    const char *name = dt_class_name(known, class);
    if (*name) return name;
    snprintf(room, 24, "%lld", (long long)(class < known->count ? known->values[class] : class));
    return room;
}

dt_status dt_evaluated_write(const dt_evaluated *e, const char *path) {
    const dt_tally *tally = e->tally;
    char digest[17];
    const double none = (double)NAN;
    double accuracy = dt_has_accuracy(e->source, e->loss) ? dt_tally_share(tally->correct, tally) : none;
    double top5 = dt_has_top5(e->source, e->loss) ? dt_tally_share(tally->correct_top5, tally) : none;
    dt_digest_text(e->digest, digest);
    const dt_assessment_field all[] = {
        {"format", DT_FIELD_IS_TEXT, "dtrain evaluation", 0, none},
        {"version", DT_FIELD_IS_WHOLE, NULL, 1, none},
        {"checkpoint", DT_FIELD_IS_TEXT, e->checkpoint, 0, none},
        {"digest", DT_FIELD_IS_TEXT, digest, 0, none},
        {"step", DT_FIELD_IS_WHOLE, NULL, e->step, none},
        {"data", DT_FIELD_IS_TEXT, e->files, 0, none},
        {"dataset", DT_FIELD_IS_TEXT, e->datasets, 0, none},
        {"split", DT_FIELD_IS_TEXT, e->split, 0, none},
        {"samples", DT_FIELD_IS_WHOLE, NULL, tally->samples, none},
        {"loss", DT_FIELD_IS_NUMBER, NULL, 0, dt_tally_loss(tally)},
        {"accuracy", DT_FIELD_IS_NUMBER, NULL, 0, accuracy},
        {"top5", DT_FIELD_IS_NUMBER, NULL, 0, top5},
        {"perplexity", DT_FIELD_IS_NUMBER, NULL, 0, dt_perplexity(tally, e->source)},
        {"bits_per_char", DT_FIELD_IS_NUMBER, NULL, 0, dt_bits_per_char(tally, e->source)},
    };
    return dt_assessment_json(path, all, (int)(sizeof all / sizeof *all), e->assessment, dt_evaluated_class, e);
}
