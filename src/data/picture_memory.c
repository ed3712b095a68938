/* Memory for a picture's pixels: how many a file can have at most, and room for them. */
#include "base/memory.h"
#include "picture_internal.h"

dt_status dt_picture_check_claim(const dt_picture *picture, const char *path, size_t bytes, int64_t most) {
    int64_t pixels = picture->height * picture->width;
    if (picture->height <= 0 || picture->width <= 0 || picture->channels < 1 || picture->channels > 4)
        return dt_fail(DT_ERR_CORRUPT, "%s: the picture is empty", path);
    if (pixels > DT_MOST_PIXELS)
        return dt_fail(DT_ERR_INPUT, "%s: a picture of %lldx%lld pixels; at most %lld million are read", path,
                       (long long)picture->height, (long long)picture->width, (long long)(DT_MOST_PIXELS / 1000000));
    if (pixels / most <= (int64_t)bytes) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: claims %lldx%lld pixels, more than its %zu bytes can hold", path,
                   (long long)picture->height, (long long)picture->width, bytes);
}

dt_status dt_picture_reserve(dt_picture *picture) {
    size_t values = (size_t)(picture->height * picture->width) * (size_t)picture->channels;
    picture->pixels = dt_alloc(values, sizeof *picture->pixels);
    return picture->pixels ? dt_ok() : dt_fail_memory("a picture", values * sizeof *picture->pixels);
}

void dt_picture_finish(dt_picture *picture) {
    dt_free(picture->pixels);
    *picture = (dt_picture){0};
}
