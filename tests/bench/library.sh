#!/usr/bin/env bash
# One network, 16-64-64-8, called through libdtrain and through libtorch (Debian's, TorchScript, one thread), and through
# libdtrain by two processes at once: tests/bench/library.sh. Prints times and ratios, and never fails on them. libtorch
# takes whatever BLAS there is; libopenblas0-serial is the fast one. Needs libtorch-dev and python3-h5py.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${DTRAIN_BUILD:-$top/build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
/usr/bin/python3 - <<'END'
import h5py, numpy as np
rng = np.random.default_rng(1)
x = rng.normal(size=(400, 16)).astype("f4")
with h5py.File("bench.h5", "w") as file:
    for part in ("train", "test"):
        file[part + "/x"], file[part + "/y"] = x, np.sin(x @ rng.normal(size=(16, 8)) / 4).astype("f4")
END
cat >bench.yaml <<'END'
name: bench
run: run
data: {file: bench.h5, normalize: standardise}
model:
  loss: mean_squared_error
  layers: [dense: {out: 64, activation: relu}, dense: {out: 64, activation: relu}, dense: 8]
train: {batch: 32, shards: 4, epochs: 1}
END
"$build/src/dtrain" train bench.yaml | tail -n 1
library=$build/src/api
c++ -O2 -I"$top/include" -I/usr/include/torch/csrc/api/include "$top/tests/bench/library_torch.cpp" -o bench \
    -L"$library" -ldtrain -Wl,-rpath,"$library" -ltorch -ltorch_cpu -lc10
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
taskset -c 0 ./bench run
echo "two processes at once, each on a core of its own:"
taskset -c 0 ./bench run >first &
taskset -c 1 ./bench run >second
wait
grep rows first second
