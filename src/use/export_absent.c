/* In the place of the formats where there is no jansson, which all of them need. */
#include "base/absent.h"
#include "export_internal.h"

const dt_export_format dt_export_safetensors = {.name = "safetensors", .lacks = DT_LACKS_JSON};
const dt_export_format dt_export_npz = {.name = "npz", .lacks = DT_LACKS_JSON};
const dt_export_format dt_export_pytorch = {.name = "pytorch", .lacks = DT_LACKS_JSON};
const dt_export_format dt_export_onnx = {.name = "onnx", .lacks = DT_LACKS_JSON};
const dt_export_format dt_export_gpt2 = {.name = "gpt2", .lacks = DT_LACKS_JSON};
const dt_export_format dt_export_keras = {.name = "keras", .lacks = DT_LACKS_JSON};
