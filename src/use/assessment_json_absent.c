/* In the place of assessment_json.c where there is no jansson. */
#include "assessment_json.h"

#include "base/absent.h"

dt_status dt_assessment_json_check(const char *path) {
    return dt_fail(DT_ERR_USAGE, "--json %s: this dtrain was built without %s, which it needs", path, DT_LACKS_JSON);
}

dt_status dt_assessment_json(const char *path, const dt_assessment_field *fields, int count, const dt_assessment *a,
                             dt_class_namer name, const void *context) {
    (void)fields, (void)count, (void)a, (void)name, (void)context;
    return dt_assessment_json_check(path);
}
