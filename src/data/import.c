/* The formats a dataset can be made from, and what all importers share. A new one is a file and a row. */
#include "data/import.h"

#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "config/yaml.h"
#include "import_internal.h"

const dt_importer *const dt_importers[] = {&dt_importer_csv,
                                           &dt_importer_images,
                                           &dt_importer_npy,
                                           &dt_importer_npz,
                                           &dt_importer_idx,
                                           &dt_importer_text,
                                           NULL};

const dt_importer *dt_importer_find(const char *name) {
    for (const dt_importer *const *importer = dt_importers; *importer; importer++)
        if (strcmp((*importer)->name, name) == 0) return *importer;
    return NULL;
}

const char *dt_import_given(const dt_import *import, const char *name) {
    const char *value = NULL;
    for (int i = 0; i < import->option_count; i++)
        if (strcmp(import->options[i].name, name) == 0) value = import->options[i].value;
    return value;
}

static dt_status decode(const dt_importer *importer, const dt_import *import, void *options) {
    static const char source[] = "the command line";
    dt_yaml *map = dt_yaml_new(DT_YAML_MAP, NULL, NULL, source);
    dt_status status = map ? dt_ok() : dt_fail_memory("the options", sizeof *map);
    for (int i = 0; i < import->option_count && status.code == DT_OK; i++) {
        const dt_option *option = &import->options[i];
        status = dt_yaml_put(map, option->name, dt_yaml_new(DT_YAML_SCALAR, NULL, option->value, source));
    }
    if (status.code == DT_OK) status = dt_fields_decode(importer->options, map, "--", NULL, options);
    if (status.code == DT_ERR_INPUT) status.code = DT_ERR_USAGE;
    dt_yaml_destroy(map);
    return status;
}

dt_status dt_import_run(const dt_importer *importer, const dt_import *import) {
    if (importer->lacks)
        return dt_fail(DT_ERR_USAGE, "this dtrain was built without %s, which import %s needs", importer->lacks,
                       importer->name);
    void *options = dt_alloc(1, importer->options_size + 1);
    if (!options) return dt_fail_memory("the options", importer->options_size + 1);
    dt_status status = decode(importer, import, options);
    if (status.code == DT_OK) status = importer->run(import, options);
    dt_free(options);
    return status;
}

dt_status dt_import_label(dt_h5 *file, const dt_import *import) {
    char sources[1024] = "";
    for (int i = 0; i < import->source_count; i++) {
        const char *path = import->sources[i], *slash = strrchr(path, '/');
        dt_append(sources, sizeof sources, "%s%s", i ? ", " : "", slash ? slash + 1 : path);
    }
    DT_TRY(dt_h5_put_text(file, "/", "format", "dtrain dataset"));
    DT_TRY(dt_h5_put_int(file, "/", "version", 1));
    return dt_h5_put_text(file, "/", "sources", sources);
}
