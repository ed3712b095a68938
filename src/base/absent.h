/* Libraries this program may have been built without: what is said where something is refused for want of one. NULL: it
 * is there. */
#ifndef DTRAIN_ABSENT_H
#define DTRAIN_ABSENT_H

#include <stddef.h>

#ifdef DT_HAVE_JSON
#    define DT_LACKS_JSON NULL
#else
#    define DT_LACKS_JSON "jansson (on Debian libjansson-dev; meson setup -Djson=enabled)"
#endif

#ifdef DT_HAVE_ZIP
#    define DT_LACKS_ZIP NULL
#else
#    define DT_LACKS_ZIP "libzip (on Debian libzip-dev; meson setup -Dzip=enabled)"
#endif

/* Asked for by what is built without it alone. */
#define DT_LACKS_ONNX                                                                                                  \
    "protobuf-c or ONNX's schema (on Debian libprotobuf-c-dev, protobuf-c-compiler and libonnx-dev; meson setup "      \
    "-Donnx=enabled)"

#endif
