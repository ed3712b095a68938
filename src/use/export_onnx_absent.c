/* In the place of export_onnx.c where the build lacks what it is made with. */
#include "base/absent.h"
#include "export_internal.h"

const dt_export_format dt_export_onnx = {.name = "onnx", .lacks = DT_LACKS_ONNX};
