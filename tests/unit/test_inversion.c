/* Gradient inversion: what an update says of the sample it was made from. Of a dense layer y = x·W + b with the loss's
 * gradient g in y, the gradients are x·g of W and g of b: a column of the one divided by the number of the other is the
 * sample, exactly (Phong et al. 2018, section 3; Geiping et al. 2020, proposition 3.1). */
#include <math.h>

#include "base/memory.h"
#include "masks_world.h"
#include "models.h"

enum { INPUTS = 784, UNITS = 32, CLASSES = 10, MEMBERS = 4 };

static const double scale = 1 << 26; /* of words: a change's last bit */

typedef struct samples {
    dt_real *x[MEMBERS];
    uint32_t *words[MEMBERS]; /* the change of one step of plain gradient descent on that sample */
    size_t count, bias;       /* words; where b's begin */
} samples;

/* Every site trains one step on one sample of its own. */
static void learn(samples *s, const char *layers) {
    dt_model_spec spec = {.input = {1, {INPUTS}}, .outputs = CLASSES, .targets = 1, .rows = 1, .training = true};
    dt_model *model = new_model(layers, &spec);
    s->count = dt_model_table(model)->total;
    ck_assert_uint_gt(s->count, 0);
    dt_real *w = reals(s->count, 1), *grads = reals(s->count, 2);
    for (size_t k = 0; k < s->count; k++) w[k] *= (dt_real)0.05;
    for (int i = 0; i < MEMBERS; i++) {
        int32_t label = i;
        dt_tally tally = {0};
        s->x[i] = reals(INPUTS, 10 + (uint64_t)i);
        memset(grads, 0, s->count * sizeof *grads);
        dt_model_train(model, (dt_pass){.weights = w, .grads = grads},
                       &(dt_batch){.rows = 1, .x = s->x[i], .labels = &label}, &tally);
        s->words[i] = calloc(s->count, sizeof **s->words);
        for (size_t k = 0; k < s->count; k++) s->words[i][k] = (uint32_t)lround(-0.1 * (double)grads[k] * scale);
    }
    const dt_tensor *tensors = dt_model_table(model)->tensors; /* W[INPUTS][UNITS], then b */
    ck_assert(tensors[0].offset == 0 && tensors[0].count == (size_t)INPUTS * UNITS);
    ck_assert_uint_eq(tensors[1].count, UNITS);
    s->bias = tensors[1].offset;
    dt_model_destroy(model);
    dt_free(w), dt_free(grads);
}

static void forget(samples *s) {
    for (int i = 0; i < MEMBERS; i++) {
        dt_free(s->x[i]);
        free(s->words[i]);
    }
}

/* The best that a unit of the first layer gives of `x`: the least distance, in parts of its length. */
static double inverted(const samples *s, const uint32_t *words, const dt_real *x) {
    double best = INFINITY, length = 0;
    for (int i = 0; i < INPUTS; i++) length += (double)x[i] * (double)x[i];
    for (size_t unit = 0; unit < UNITS; unit++) {
        double g = (int32_t)words[s->bias + unit], distance = 0;
        if (fabs(g) < 1000) continue; /* too few bits to divide by */
        for (size_t i = 0; i < INPUTS; i++) {
            double apart = (int32_t)words[i * UNITS + unit] / g - (double)x[i];
            distance += apart * apart;
        }
        best = fmin(best, sqrt(distance / length));
    }
    return best;
}

/* A masked round of these changes, and the sum it gives; whoever has all its messages has the vectors, too. */
static uint32_t *sum_under_masks(const samples *s, world *w) {
    uint64_t weight;
    uint32_t *sum = calloc(s->count, sizeof *sum);
    describe_world(w, MEMBERS, 3, s->count);
    for (int i = 0; i < MEMBERS; i++) {
        memcpy(w->words[i], s->words[i], s->count * sizeof *sum);
        begin_site(w, i);
    }
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) assert_ok(one_phase(w, phase, nobody));
    assert_ok(sum_of(w, 0, sum, &weight));
    return sum;
}

START_TEST(a_sample_is_read_from_its_update_and_not_from_a_sum_under_masks) {
    samples s;
    world w;
    learn(&s, "[{dense: {out: 32, activation: tanh}}, {dense: 10}]");
    uint32_t *sum = sum_under_masks(&s, &w);
    for (int i = 0; i < MEMBERS; i++) {
        double plain = inverted(&s, s.words[i], s.x[i]); /* the control: this is how to do it */
        double masked = inverted(&s, ((dt_masks_vector *)w.sent[DT_MASKS_VECTOR][i])->words, s.x[i]);
        double summed = inverted(&s, sum, s.x[i]);
        ck_assert_msg(plain < 1e-3, "the sample of site %d is only known to %g", i, plain);
        ck_assert_msg(masked > 0.9, "the sample of site %d is known to %g from what it sent", i, masked);
        ck_assert_msg(summed > 0.25, "the sample of site %d is known to %g from the sum", i, summed);
    }
    free(sum);
    end_world(&w);
    forget(&s);
}
END_TEST

/* What masks do not hide: the sum is what it is. A unit that one sample alone makes active has that sample in any sum,
 * which is for differential privacy to cover. */
START_TEST(a_unit_that_one_sample_alone_activates_gives_it_away_in_the_sum) {
    samples s;
    world w;
    learn(&s, "[{dense: {out: 32, activation: relu}}, {dense: 10}]");
    uint32_t *sum = sum_under_masks(&s, &w);
    double best = INFINITY;
    for (int i = 0; i < MEMBERS; i++) best = fmin(best, inverted(&s, sum, s.x[i]));
    ck_assert_msg(best < 1e-3, "of no sample is more known than to %g", best);
    free(sum);
    end_world(&w);
    forget(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inversion");
    TCase *updates = tcase_create("updates");
    tcase_add_test(updates, a_sample_is_read_from_its_update_and_not_from_a_sum_under_masks);
    tcase_add_test(updates, a_unit_that_one_sample_alone_activates_gives_it_away_in_the_sum);
    suite_add_tcase(suite, updates);
    return run_suite(suite);
}
