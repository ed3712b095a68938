#!/usr/bin/env bash
# From a fresh clone to a trained network: installs what is missing, builds ./dtrain, fetches Fashion-MNIST, trains the
# built-in recipe on as many ranks as there are cores. Again: builds what changed and goes on with the run.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=launch/packages.sh
. launch/packages.sh
# shellcheck source=launch/cores.sh
. launch/cores.sh
need_packages "${packages_build[@]}"
need_packages "${packages_data[@]}" || echo "going on without: the data is then downloaded"

echo "building"
if [[ ! -f build/build.ninja ]]; then
    mkdir -p build
    meson setup build -Dtests=false >build/setup.log 2>&1 || { cat build/setup.log && exit 1; }
fi
ninja -C build --quiet src/dtrain
ln -sfn build/src/dtrain dtrain
data/fetch.sh fashion-mnist

count_cores ""
echo "training on $cores ranks (Ctrl-C stops it; the same command goes on)"
code=0
launch/local.sh || code=$?
case $code in
    0) ;;
    75) echo "stopped; launch/quickstart.sh goes on" && exit 75 ;;
    *) exit "$code" ;;
esac

cat <<'END'

What to try next:
  ./dtrain inspect runs/fashion-mlp                                  what the run left, as any HDF5 tool sees it
  launch/local.sh eval runs/fashion-mlp                              its accuracy again
  launch/local.sh -n 8 train --run runs/wide --set train.batch=256   the same network, other numbers
  ./dtrain train --help-recipe                                       everything a recipe can say
  cp launch/recipes/fashion-mlp.yaml mine.yaml                       a recipe of your own: launch/local.sh train mine.yaml
END
