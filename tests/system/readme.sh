#!/usr/bin/env bash
# What the README says to type works when it is pasted, block after block in one directory, on little data and for a few
# steps. Blocks with tests of their own, or with placeholders, are named below; any other that is not known fails.
. "$(dirname "$0")/../support/lib.sh"
need_data
mkdir -p data
cut_data data/fashion-mnist.h5 640 200
for name in mnist other may june; do cp data/fashion-mnist.h5 "data/$name.h5"; done
"$python" - <<'END' || give_up "data for the commands"
import h5py, os
for name in ("other", "may", "june"):
    os.rename(f"data/{name}.h5", f"{name}.h5")
for name in ("other", "june"):
    with h5py.File(f"{name}.h5", "a") as f:
        f["measured"] = f["test/x"][:]
for name in ("may", "june"):
    with h5py.File(f"{name}.h5", "a") as f:
        f["labels"] = f["test/y"][:]
with open("play.txt", "w") as f:
    for i in range(3000):
        f.write(f"ROMEO: {i} times {i % 17} is {i * (i % 17)}, and so to bed.\n")
with open("penguins.csv", "w") as f:
    f.write("species,island,bill,mass,sex\n")
    for i in range(200):
        f.write(f"{('Adelie', 'Gentoo')[i % 2]},{('Dream', 'Biscoe', 'Torgersen')[i % 3]},{39 + i % 7 + 6 * (i % 2)},{3000 + 9 * i},{('male', 'female')[i % 5 % 2]}\n")
END
"$dtrain" import text play.txt data/shakespeare.h5 --tokens char >log 2>&1 || give_up "a text: $(cat log)"
"$dtrain" import csv penguins.csv data/penguins.h5 --target species >log 2>&1 || give_up "a table: $(cat log)"
ln -s "$dtrain" dtrain
ln -s "$source/launch" launch
export DTRAIN=$dtrain

# shorter COMMANDS: of trainings a few steps, on two ranks; data is there
shorter() {
    sed -E '/^data\/fetch\.sh [a-z-]+ *(#.*)?$/d; s/^data\/fetch\.sh [a-z-]+ && //
        s/(launch\/recipes\/shakespeare-gpt\.yaml)/\1 --set train.steps=3 --set train.batch=2/
        s/(launch\/recipes\/dp-mnist\.yaml)/\1 --set train.epochs=1 --set train.batch=64/
        s/(launch\/recipes\/federated-mnist-lr\.yaml)/\1 --set sites.simulate=20 --set sites.rounds=2/
        s/^(launch\/local\.sh|DTRAIN=[^ ]+ launch\/local\.sh) (train|audit|eval|predict|bench)/\1 -n 2 \2/' "$1"
}

awk '/^```/ {if (inside) inside = 0; else {inside = 1; n++; bare = $0 == "```"}; next}
     inside && bare {print > sprintf("block-%02d", n)}' "$source/README.md"
launch/local.sh -n 2 train --set train.chain=20 >log 2>&1 || give_up "what launch/quickstart.sh trains: $(tail -n 3 log)"

ran=0
for block in block-*; do
    case $(cat "$block") in
    '$ launch/quickstart.sh'* | 'runs/fashion-mlp/'*) continue ;;                    # what is printed, what there is
    'data:'*) continue ;;                                                           # of recipes
    launch/quickstart.sh*tests/run.sh* | 'CC=mpicc meson'*) continue ;;              # all the rest
    'sbatch '*RECIPE.yaml*) continue ;;                                              # slurm.sh, gridengine.sh, schedulers.sh
    'cc solver.c'*) continue ;;                                                      # library.sh
    'build/data/pendulum '* | 'cc data/pendulum_solver.c'*) continue ;;              # surrogate.sh
    *'-o hospitals'*) continue ;;                                                    # hospitals.sh
    'launch/local.sh dispute runs/mine'*) continue ;;                                # dispute.sh
    esac
    shorter "$block" >commands
    timeout -k 2 $((4 * limit)) bash -euo pipefail commands >"$out" 2>"$err" </dev/null
    code=$?
    expect_code 0 "$(grep -m 1 . commands | cut -c 1-100)"
    ran=$((ran + 1))
done
if ((ran >= 11)); then pass "$ran blocks were pasted"; else fail "only $ran blocks were found"; fi
finish
