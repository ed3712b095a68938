/* Files of HDF5 that are to be checkpoints or vocabularies: verified, their heads, recipes and tokenizers read. HDF5
 * itself may crash on them, in the child that reads them (guard.h); this process may not. */
#include "fuzz.h"

#include "config/recipe.h"
#include "data/tokenizer.h"
#include "store/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_write("fuzz.h5", data, size);
    uint64_t digest;
    dt_status verified = dt_checkpoint_verify("fuzz.h5", &digest);
    fuzz_check(verified);
    dt_checkpoint_head head;
    memset(&head, 0, sizeof head);
    dt_status status = dt_checkpoint_head_read("fuzz.h5", &head);
    fuzz_check(status);
    if (verified.code == DT_OK && status.code != DT_OK) abort();
    if (status.code == DT_OK) {
        dt_yaml *root;
        status = dt_yaml_parse_text(&root, "fuzz.h5", head.recipe);
        fuzz_check(status);
        if (status.code == DT_OK) {
            dt_recipe recipe;
            memset(&recipe, 0, sizeof recipe);
            fuzz_check(dt_recipe_decode(&recipe, root, "run"));
            dt_recipe_finish(&recipe);
            dt_yaml_destroy(root);
        }
    }
    dt_checkpoint_head_finish(&head);
    dt_vocabulary vocabulary;
    memset(&vocabulary, 0, sizeof vocabulary);
    fuzz_check(dt_vocabulary_read(&vocabulary, "fuzz.h5"));
    dt_vocabulary_finish(&vocabulary);
    return 0;
}
