/* Pictures: what one is said to be before its pixels are read it has then, too, and it can be brought to any other
 * shape. */
#include "fuzz.h"

#include "data/exif.h"
#include "data/picture.h"

static void reshape(dt_picture *p, unsigned draw) {
    static const dt_alpha alphas[] = {DT_ALPHA_KEEP, DT_ALPHA_DROP, DT_ALPHA_WHITE, DT_ALPHA_BLACK};
    dt_alpha alpha = alphas[draw % 4];
    int channels = dt_picture_channels(p, alpha), bits = draw & 4 ? 16 : p->bits;
    if (draw & 8) channels = channels % 2 ? 1 : 2; /* grey */
    fuzz_check(dt_picture_convert(p, alpha, channels, bits));
    if (p->channels != channels || p->bits != bits) abort();
    fuzz_check(dt_picture_resize(p, 1 + draw % 37, 1 + draw / 37 % 41, draw & 16));
    uint32_t most = p->bits == 16 ? 65535 : 255;
    size_t count = (size_t)(p->height * p->width) * (size_t)p->channels;
    for (size_t i = 0; i < count; i++)
        if (p->pixels[i] > most) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int orientation = dt_exif_orientation(data, size);
    if (orientation < 1 || orientation > 8) abort();
    dt_picture seen, read;
    dt_status look = dt_picture_look(&seen, "picture", data, size);
    fuzz_check(look);
    if (look.code == DT_OK && seen.height * seen.width <= 1 << 20) {
        dt_status status = dt_picture_read(&read, "picture", data, size);
        fuzz_check(status);
        if (status.code == DT_OK) {
            if (read.height != seen.height || read.width != seen.width || read.channels != seen.channels ||
                read.bits != seen.bits)
                abort();
            reshape(&read, size ? (unsigned)(data[size / 2] * 31U + data[size - 1]) : 0);
        }
        dt_picture_finish(&read);
    }
    dt_picture_finish(&seen);
    return 0;
}
