# shellcheck shell=bash
# Sourced by tests of mailboxes after lib.sh: data of three sites in parts/, by `split --partition $1`, and their keys;
# sets `names`, and `members`, the lines of a recipe's sites.members.
# shellcheck disable=SC2154,SC2034  # `out` is lib.sh's; names and members are the tests'
three_sites() { # PARTITION [OPTION…]
    local name partition=$1
    shift
    /usr/bin/python3 - <<'PYTHON' || skip "no h5py"
import h5py, numpy
draw = numpy.random.default_rng(1)
x = draw.normal(size=(290, 12)).astype("f4")
with h5py.File("all.h5", "w") as file:
    file["train/x"] = x
    file["train/y"] = x[:, :3].argmax(1).astype("i4")
PYTHON
    run 1 split all.h5 --sites 3 --partition "$partition" "$@" -o parts
    expect_code 0 "data of three sites"
    names=(north south east)
    members=
    for name in "${names[@]}"; do
        run 1 keys make "$name" --out "$name.key"
        members+="    $(tail -n 1 "$out")"$'\n'
    done
}
