/* In the place of export_onnx.c where the build lacks what it is made with. */
#include "export_internal.h"

const dt_export_format dt_export_onnx = {
    .name = "onnx",
    .help = "one file: the graph from the numbers of a file to probabilities or values",
    .lacks =
        "ONNX's schema (protobuf-c and onnx/onnx.proto; on Debian libprotobuf-c-dev, protobuf-c-compiler, libonnx-dev)",
};
