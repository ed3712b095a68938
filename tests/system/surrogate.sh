#!/usr/bin/env bash
# The surrogate of the README, by its own commands, pasted: data is made, a network learns it, a linear model is ten times
# as far off in every output, a C and a Fortran program call what was trained, and it is fine-tuned on a few examples.
. "$(dirname "$0")/../support/lib.sh"

[[ -e $build/src/api/libdtrain.so ]] || skip "the library was not built (it needs a serial HDF5)"
mkdir data
ln -s "$source"/data/pendulum* data/
ln -s "$source/launch" "$source/include" "$build" .
[[ -e build ]] || ln -s "$build" build

# below NUMBER LIMIT WHAT
below() {
    if [[ $1 =~ ^[0-9.e+-]+$ && $2 =~ ^[0-9.e+-]+$ ]] && awk "BEGIN {exit !($1 < $2)}"; then
        pass "$3: $1"
    else
        fail "$3: $1, not below $2"
    fi
}

# commands NUMBER: those of a block of the section
commands() {
    sed -n '/^## A surrogate/,/^## Speed/p' "$source/README.md" |
        awk -v block="$1" '/^```/ {n++; next} n == 2 * block - 1'
}
# paste_in COMMAND: as from the README, with what it says in $out
paste_in() {
    DTRAIN=$dtrain timeout -k 2 "$limit" bash -c "$1" >"$out" 2>"$err" </dev/null
    code=$?
    expect_code 0 "$1"
}

epochs=30 # enough for ten times; the recipe goes on to 60
while read -r command; do
    [[ $command != *recipes/pendulum.yaml ]] || command+=" --set train.epochs=$epochs"
    paste_in "$command"
    [[ $command != *'eval runs/pendulum' ]] || network=$(last_value loss)
    [[ $command != *'eval runs/pendulum-linear' ]] || linear=$(last_value loss)
done < <(commands 1)
below "$network" "$(awk "BEGIN {print $linear / 100}")" "a linear model is more than ten times as far off, in the squares of the loss"
# each output for itself, by the library: rows of doubles in, rows of doubles out
cat >outputs.c <<'END'
#include <dtrain/dtrain.h>
#include <stdio.h>
int main(int argc, char **argv) {
    dtrain_model *model;
    double x[5], y[4];
    if (argc != 2 || dtrain_open(&model, argv[1], 0, NULL) != DTRAIN_OK) return 1;
    while (fread(x, sizeof x, 1, stdin) == 1)
        if (dtrain_predict_double(model, NULL, 1, x, y, NULL) != DTRAIN_OK || fwrite(y, sizeof y, 1, stdout) != 1) return 1;
    dtrain_close(model);
    return fclose(stdout) != 0;
}
END
build_flags=
meson introspect --buildoptions "$build" | grep -q '"value": "address' && build_flags='-fsanitize=address,undefined'
cc outputs.c -o outputs -Iinclude -Lbuild/src/api -Wl,-rpath,"$PWD/build/src/api" -ldtrain $build_flags || fail "outputs.c"
"$python" - <<'END' || fail "an output is not ten times as good as a linear model's"
import h5py, numpy, subprocess
file = h5py.File("data/pendulum.h5")
x, truth = file["test/x"][:], file["test/y"][:]
def off(run):
    y = subprocess.run(["./outputs", "runs/" + run], input=x.tobytes(), stdout=subprocess.PIPE, check=True).stdout
    return numpy.sqrt(((numpy.frombuffer(y).reshape(truth.shape) - truth) ** 2).mean(0))
network, linear = off("pendulum"), off("pendulum-linear")
print("linear", linear, "network", network)
assert (linear > 10 * network).all(), linear / network
END

while read -r command; do
    [[ $command != gfortran* ]] || command -v gfortran >/dev/null || { lacks "the Fortran program: gfortran is not installed" && break; }
    [[ $command != cc* && $command != gfortran* ]] || command+=" $build_flags"
    paste_in "$command"
    case $command in
        *pendulum_solver\ runs/pendulum)
            below "$(last_value largest_angle_error)" 0.5 "a minute of it, in rad"
            ;;
        *pendulum_stop\ runs/pendulum)
            if [[ $(grep -cE 'leaves +-?[0-9.]+E-0[5-9] rad/s' "$out") == 3 ]]; then
                pass "Newton's method stops the load"
            else
                fail "the load does not stop" && show "$out"
            fi
            ;;
    esac
done < <(commands 2)

# fine-tuned on a few examples of a pendulum in air
while read -r command; do
    command=${command/.\/dtrain/$dtrain}
    [[ $command != *recipes/pendulum-tuned.yaml*train* && $command != *train*recipes/pendulum-tuned.yaml* ]] ||
        command+=" --set train.epochs=60"
    paste_in "$command"
    case $command in
        *import*) expect_in "$out" '8 of 8 tensors of the model' "it begins with the surrogate's weights" ;;
        *pendulum-few*) few=$(last_value test_loss) ;;
        *train*) tuned=$(last_value test_loss) ;;
    esac
done < <(commands 3)
run 1 eval runs/pendulum --data data/measured.h5
below "$tuned" "$(awk "BEGIN {print $(last_value loss) / 10}")" "the surrogate as it is loses ten times as much in air"
below "$tuned" "$(awk "BEGIN {print $few / 3}")" "what learned from the few alone loses more than three times as much"

"$build/data/pendulum" nowhere/x.h5 2>/dev/null && fail "a file that cannot be made"
"$build/data/pendulum" few.h5 0 2>"$err" && fail "no samples"
expect_in "$err" '"0" is no number of samples; it must be 1 to 10000000' "no samples"
"$build/data/pendulum" few.h5 5 5 -1 2>"$err" && fail "a drag that drives"
expect_in "$err" '"-1" is no drag; it must be 0 to 10' "a drag that drives"
finish
