#include "wire.h"

#define ROW(NAME, name) [DT_WIRE_##NAME] = &dt_wire_##name,
static const dt_wire_kind *const wires[] = {DT_WIRES(ROW)};

const dt_wire_kind *dt_wire_of(dt_wire wire) {
    return wires[wire];
}
