/* Text in buffers of fixed size: pieces never go beyond the end, and the figures of a tally are all there, whatever
 * their size. Under AddressSanitizer a byte too many ends the test; without it guards around the buffer tell. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "suite.h"
#include "use/figures.h"

/* size bytes with guards on both sides */
static char *guarded(size_t size) {
    char *block = dt_alloc(size + 128, 1);
    ck_assert_ptr_nonnull(block);
    memset(block, 0x5a, size + 128);
    block[64] = '\0';
    return block + 64;
}

static void release(char *out, size_t size) {
    for (int i = 0; i < 64; i++) ck_assert_msg(out[-64 + i] == 0x5a && out[size + i] == 0x5a, "written beyond the end");
    dt_free(out - 64);
}

START_TEST(pieces_stay_in_the_buffer_and_say_whether_they_fitted) {
    static const char whole[] = "rank 3, rank 17, rank 1234567";
    for (size_t size = 1; size < 40; size++) {
        char *out = guarded(size);
        bool fits = dt_append(out, size, "rank %d", 3) && dt_append(out, size, ", rank %d", 17) &&
                    dt_append(out, size, ", rank %d", 1234567);
        ck_assert_int_eq(fits, size >= sizeof whole);
        ck_assert(strncmp(out, whole, size - 1) == 0 && strlen(out) < size);
        for (int i = 0; i < 3; i++) ck_assert(!dt_append(out, size, "%050d", i));
        ck_assert_uint_eq(strlen(out), size - 1);
        release(out, size);
    }
}
END_TEST

START_TEST(a_character_is_cut_off_whole) {
    static const char text[] = "aé…𝄞z"; /* of 1, 2, 3, 4 and 1 bytes */
    static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t room = 0; room < sizeof kept / sizeof *kept; room++) {
        char *out = guarded(room + 3);
        dt_append(out, room + 3, "%s", "xy");
        ck_assert_int_eq(dt_append(out, room + 3, "%s", text), room >= 11);
        ck_assert_uint_eq(strlen(out), 2 + kept[room]);
        release(out, room + 3);
    }
}
END_TEST

static dt_tally tally_of(double loss) {
    dt_tally tally = {.samples = 2, .correct = 1, .correct_top5 = 2};
    for (int i = 0; i < 2; i++) dt_sum_add(&tally.loss, loss);
    for (int i = 0; i < 2; i++) dt_sum_add(&tally.abs_error, loss);
    return tally;
}

/* A perplexity is e^loss: between 435 and 709 nats it had more digits than the buffer of the line had room. */
START_TEST(figures_of_every_size_are_all_there) {
    static const double losses[] = {0, 1e-9, 0.5, 20, 435, 600, 709, 710, 1e14, 1e15, 1e76, -3};
    dt_source source = {.targets = {.labels = true, .classes = 300}, .about = {.predicts_tokens = true, .chars = 1.5}};
    for (int i = 0; i < COUNT(losses); i++) {
        for (int loss = DT_LOSS_SOFTMAX_CROSS_ENTROPY; loss <= DT_LOSS_BINARY_CROSS_ENTROPY; loss++) {
            dt_tally tally = tally_of(losses[i]);
            char *out = guarded(DT_FIGURES);
            dt_tally_text(out, DT_FIGURES, "test_", &tally, (dt_loss)loss, &source, true);
            const char *keys[] = {" test_loss=",       " test_accuracy=0.5000",
                                  " test_perplexity=", " test_bits_per_char=",
                                  " test_top5=1.0000", loss == DT_LOSS_SOFTMAX_CROSS_ENTROPY ? "" : " test_mae="};
            for (int k = 0; k < COUNT(keys); k++)
                ck_assert_msg(strstr(out, keys[k]) != NULL, "no %s in \"%s\"", keys[k], out);
            double shown = strtod(strstr(out, "loss=") + 5, NULL);
            ck_assert_double_le(fabs(shown - losses[i]), fmax(5e-7, 5e-7 * fabs(losses[i])));
            release(out, DT_FIGURES);
            for (size_t size = 1; size < 200; size++) { /* and a buffer of any size holds */
                out = guarded(size);
                dt_tally_text(out, size, "test_", &tally, (dt_loss)loss, &source, true);
                release(out, size);
            }
        }
    }
}
END_TEST

START_TEST(ordinary_figures_are_written_as_ever) {
    dt_tally tally = tally_of(1.25);
    char out[DT_FIGURES];
    dt_source text = {.targets = {.labels = true, .classes = 65}, .about = {.predicts_tokens = true}};
    dt_source values = {.targets = {.width = 3}};
    dt_tally_text(out, sizeof out, "test_", &tally, DT_LOSS_SOFTMAX_CROSS_ENTROPY, &text, false);
    ck_assert_str_eq(out, " test_loss=1.250000 test_accuracy=0.5000 test_perplexity=3.4903");
    dt_tally_text(out, sizeof out, "", &tally, DT_LOSS_MEAN_SQUARED_ERROR, &values, true);
    ck_assert_str_eq(out, " loss=1.250000 mae=1.250000");
    dt_tally_text(out, sizeof out, "", &tally, DT_LOSS_BINARY_CROSS_ENTROPY, &values, false);
    ck_assert_str_eq(out, " loss=1.250000 accuracy=0.5000");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("figures");
    TCase *tests = tcase_create("figures");
    tcase_add_test(tests, pieces_stay_in_the_buffer_and_say_whether_they_fitted);
    tcase_add_test(tests, a_character_is_cut_off_whole);
    tcase_add_test(tests, figures_of_every_size_are_all_there);
    tcase_add_test(tests, ordinary_figures_are_written_as_ever);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
