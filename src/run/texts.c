/* The text is what `dtrain sample RUN --tokens N` gives of this step's checkpoint. It costs one reading of the weights
 * a token, on one rank, and nothing that is trained with is touched. */
#include "texts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "run.h"
#include "use/sample.h"

/* Other models have no text to give. */
static bool wanted(const dt_run *run) {
    const dt_recipe *recipe = run->session.recipe;
    return recipe->report.samples > 0 && recipe->data.context > 0 && recipe->data.objective == DT_OBJECTIVE_NEXT &&
           recipe->loss.kind == DT_LOSS_SOFTMAX_CROSS_ENTROPY && run->data.vocabulary.size > 0;
}

static int power_of_two(int64_t step) {
    int power = -1;
    for (; step > 0; step /= 2) power++;
    return power;
}

static bool is_milestone(const dt_run *run) {
    const int64_t step = run->ledger.position.step, before = run->evaluated > 0 ? run->evaluated : 0;
    return step >= run->course.total_steps || power_of_two(step) > power_of_two(before);
}

static dt_status write_text(const dt_run *run, FILE *out, const char *path, char **text) {
    const dt_recipe *recipe = run->session.recipe;
    const dt_trainee *trainee = &run->trainee;
    const dt_sample_options options = {.prompt = "",
                                       .tokens = recipe->report.samples,
                                       .samples = 1,
                                       .temperature = 1,
                                       .top_p = 1,
                                       .seed = 1,
                                       .out = out};
    const dt_sample_model model = {recipe, run->data.test.file, trainee->kernels, trainee->table, trainee->weights};
    dt_sample_figures figures;
    dt_status status = dt_sample_from(&options, &model, &figures);
    if (fclose(out) != 0 && status.code == DT_OK) status = dt_fail_memory("a text", 0);
    return status.code == DT_OK ? dt_write_text_file(path, *text) : status;
}

static dt_status sample(const dt_run *run) {
    char directory[4096], path[4096], name[64], *text = NULL;
    size_t bytes = 0;
    snprintf(name, sizeof name, "step-%09lld.txt", (long long)run->ledger.position.step);
    DT_TRY(dt_path_join(directory, run->session.directory, "samples"));
    DT_TRY(dt_path_join(path, directory, name));
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return dt_fail(DT_ERR_IO, "%s: cannot be made: %s", directory, strerror(errno));
    FILE *out = open_memstream(&text, &bytes);
    dt_status status = out ? write_text(run, out, path, &text) : dt_fail_memory("a text", 0);
    free(text);
    return status;
}

dt_status dt_texts_sample(dt_run *run) {
    if (!wanted(run)) return dt_ok();
    bool now = is_milestone(run);
    run->evaluated = run->ledger.position.step;
    if (!now) return dt_ok();
    dt_session_note(&run->session, DT_ACTIVITY_EVALUATE, run->ledger.position.step);
    dt_status status = run->session.first ? sample(run) : dt_ok();
    if (status.code != DT_OK)
        dt_log_warn("no text is written after step %lld: %s", (long long)run->ledger.position.step, status.message);
    status = dt_session_agree(&run->session, dt_ok());
    dt_session_note(&run->session, DT_ACTIVITY_COMPUTE, run->ledger.position.step);
    return status;
}
