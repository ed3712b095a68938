#!/usr/bin/env bash
# Data larger than data.memory is read in pieces while a run trains: the run is the same, bit for bit, whatever is
# stored how, read when and by whom; the memory it takes is bounded; and what cannot be read ends it with one line.
. "$(dirname "$0")/../support/lib.sh"

"$python" - <<'PYTHON' || give_up "no data"
import h5py, numpy

i = numpy.arange(6200)[:, None] * 64 + numpy.arange(64)
x = ((i * 2654435761 % 4294967296) // 65536 % 256 * (1 + i // 64 % 4 == 1 + i % 4)).astype("f4")
y = (numpy.arange(6200) % 4).astype("u1")
packed = dict(chunks=(100, 24), compression="gzip", shuffle=True)


def write(name, form, part, parts):
    with h5py.File(name, "w") as file:
        for split, begin, rows in ("train", 0, 6000 // parts), ("test", 6000, 200 // parts):
            first = begin + part * rows
            file.create_dataset(f"{split}/x", data=x[first : first + rows], **form)
            file[f"{split}/y"] = y[first : first + rows]


write("plain.h5", {}, 0, 1)
write("packed.h5", packed, 0, 1)
for part in range(5):
    write(f"part-{part}.h5", dict(packed, chunks=(40, 24)) if part % 2 else {}, part, 5)
for name, form in ("values.h5", {}), ("packed-values.h5", dict(chunks=(90, 16), compression="gzip")):
    with h5py.File(name, "w") as file:
        for split, first, end in ("train", 0, 6000), ("test", 6000, 6200):
            file.create_dataset(f"{split}/x", data=x[first:end], **form)
            file.create_dataset(f"{split}/y", data=x[first:end, ::2] * x[first:end, 1::2], **form)
holes = numpy.where((i * 40503 % 65536) < 200, numpy.float32("nan"), x)
few = numpy.where((numpy.arange(6200) // 4 % 5 > 0)[:, None] & (numpy.arange(64) == 9), numpy.float32("nan"), x)
for name, form in ("holes.h5", {}), ("packed-holes.h5", packed):
    with h5py.File(name, "w") as file:
        for split, first, end in ("train", 0, 6000), ("test", 6000, 6200):
            image = {**form, "chunks": (70, 6, 4)} if form else {}
            file.create_dataset(f"{split}/x", data=holes[first:end], **form)
            file.create_dataset(f"{split}/few", data=few[first:end], **form)
            file.create_dataset(f"{split}/image", data=x[first:end, :48].reshape(-1, 6, 8), **image)
            file[f"{split}/a"], file[f"{split}/b"] = x[first:end, 48], holes[first:end, 49:]
            file[f"{split}/y"] = y[first:end]
with h5py.File("packed.h5") as file:
    print(*file["train/x"].id.get_chunk_info(100)[2:], file=open("chunk", "w"))
with h5py.File("large.h5", "w") as file:  # 256 MB
    pool = (numpy.arange(1 << 16) * 2654435761 % 4294967296 // 65536 % 256).astype("f4")
    for split, rows in ("train", 200000), ("test", 1000):
        large = file.create_dataset(f"{split}/x", (rows, 320), "f4", chunks=(1000, 320), compression="gzip", compression_opts=1)
        for first in range(0, rows, 1000):
            large[first : first + 1000] = numpy.resize(numpy.roll(pool, first // 7), (1000, 320))
        file[f"{split}/y"] = (numpy.arange(rows) % 4).astype("u1")
PYTHON
cat >recipe.yaml <<'YAML'
name: larger
data: {file: packed.h5, normalize: standardise, shuffle: block, shuffle_block: 250, shuffle_window: 4}
model: {layers: [{dense: {out: 16, activation: relu}}, {dense: 4}]}
train: {epochs: 2, batch: 40, shards: 6}
checkpoint: {every: 10 steps, keep: 0}
YAML
little='data.memory=800 kB' # of 1.5 MB

expect_figures() { # expect_figures FIGURES WHAT
    if [[ $(figures) == "$1" ]]; then pass "$2: the same figures"; else fail "$2: other figures" && show "$out" "$err"; fi
}
# same WHAT RANKS ARGUMENT…: a run with the figures of the first
same() {
    local what=$1 ranks=$2
    shift 2
    rm -rf again
    run "$ranks" train recipe.yaml --run again --set checkpoint.every=never "$@"
    expect_figures "$wanted" "$what"
}

run 1 train recipe.yaml --run mapped --set data.file=plain.h5 --set checkpoint.every=never
expect_last 'done .* digest=[0-9a-f]{16}' "data that is mapped, by blocks"
wanted=$(figures)
same "unpacked" 1
for ranks in 1 2 3; do same "read in pieces, on $ranks ranks" "$ranks" --set "$little"; done
same "pieces of what could be mapped" 2 --set data.file=plain.h5 --set "$little"
same "room for all of it" 2 --set "data.memory=50 MB"
same "files of which some are packed" 2 --set 'data.file=part-*.h5' --set "$little"

# Targets that are values, as large as samples.
values=(--set 'model.layers=[{dense: {out: 8, activation: relu}}, {dense: 32}]' --set model.loss=mean_squared_error
    --set data.target.normalize=standardise)
labelled=$wanted
run 1 train recipe.yaml --run values --set data.file=values.h5 --set checkpoint.every=never "${values[@]}"
wanted=$(figures)
for ranks in 1 3; do
    same "values in pieces, on $ranks ranks" "$ranks" --set data.file=packed-values.h5 --set 'data.memory=2 MB' "${values[@]}"
done

# Missing values, and several inputs that have names.
named=(--set 'data.train_x={image: /train/image, meta: [/train/a, /train/b]}' --set 'data.test_x={image: /test/image, meta: [/test/a, /test/b]}'
    --set data.missing=mean)
more='data.memory=1 MB'
for case in mean drop named; do
    kind=(--set "data.missing=$case")
    [[ $case != named ]] || kind=("${named[@]}")
    run 1 train recipe.yaml --run "$case" --set data.file=holes.h5 --set checkpoint.every=never "${kind[@]}"
    wanted=$(figures)
    for ranks in 1 3; do same "$case in pieces, on $ranks ranks" "$ranks" --set data.file=packed-holes.h5 --set "$more" "${kind[@]}"; done
    kind+=(--set data.file=packed-holes.h5 --set "$more")
    start 2 train recipe.yaml --run "$case-killed" "${kind[@]}"
    until_true 60 test -e "$case-killed/checkpoints/step-000000170.h5" || fail "no checkpoint of the second epoch"
    kill -KILL "$(rank_pid 0)"
    await
    run 3 train recipe.yaml --run "$case-killed" "${kind[@]}"
    expect_figures "$wanted" "$case, killed and resumed on other ranks"
done
run 2 train recipe.yaml --run few --set data.file=packed-holes.h5 --set data.missing=drop --set data.train_x=/train/few --set data.memory='1300 kB'
expect_bad 1 'a window of data.shuffle: block .* takes 1\.[0-9]* MB' "a window is of the samples that are left"
wanted=$labelled

# Killed in the middle of an epoch.
start 2 train recipe.yaml --run killed --set "$little"

until_true 60 test -e killed/checkpoints/step-000000170.h5 || fail "no checkpoint of the second epoch"
kill -KILL "$(rank_pid 0)"
await
run 3 train recipe.yaml --run killed --set "$little"
expect_figures "$wanted" "killed and resumed on other ranks"
run 2 eval killed --split test
evaluated=$(figures)
run 1 eval mapped --split test
expect_figures "$evaluated" "eval reads in pieces, too"

# What is refused, before anything is computed.
refused() { # refused REGEX WHAT ARGUMENT…
    local regex=$1 what=$2
    shift 2
    rm -rf again
    run 2 train recipe.yaml --run again "$@"
    expect_bad 1 "$regex" "$what"
}
whole='data: {file: packed.h5, normalize: standardise, shuffle: SHUFFLE}'
sed "s/^data:.*/${whole/SHUFFLE/global}/" recipe.yaml >global.yaml
run 2 train global.yaml --run global --set "$little"
expect_bad 1 'packed.h5: /train/x is read in pieces of 100 rows, .*set data.shuffle: block' "any sample at any time is refused"
refused 'packed.h5: /train/x: a window of data.shuffle: block \(24 blocks of 250 samples\) takes' "a window that memory does not hold" \
    --set "$little" --set data.shuffle_window=40
refused 'packed.h5: /train/x: a window .*data.memory has 0.075 MB' "memory for next to nothing" --set "data.memory=100 kB"

# What goes wrong while it is read: the child that reads dies; the file is spoilt in place, when it has been looked at.
fails() { # fails REGEX WHAT
    await
    if ((code == 1)); then pass "$2: exit code 1"; else fail "$2: exit code $code" && show "$out" "$err"; fi
    expect_in "$err" "^dtrain: .*$1" "$2: named"
}
reader_of() { pgrep -P "$(rank_pid "$1")" | sort -n | head -n 1; } # of the training data
begun() { start 2 train recipe.yaml --run "$1" --set "$little" --set train.epochs=100000 --set checkpoint.keep=1 --set "data.file=$2" &&
    until_true 60 test -e "$1/recipe.yaml"; }
cp packed.h5 spoilt.h5
begun orphaned packed.h5
kill -KILL "$(reader_of 1)"
fails 'packed.h5: the process that read it was killed' "a reader that was killed"
begun spoilt spoilt.h5
read -r offset bytes <chunk
head -c "$bytes" /dev/zero | tr '\0' '\377' | dd of=spoilt.h5 bs=1 seek="$offset" conv=notrunc status=none
fails 'spoilt.h5: /train/x: reading' "a chunk that was spoilt"

# Four times data.memory: what all processes have, in kB, each page once.
start 1 train recipe.yaml --run large --set data.file=large.h5 --set data.memory='64 MB' --set train.epochs=1 --set train.batch=1000 \
    --set checkpoint.every=never --set data.shuffle_block=1000
most=0
while kill -0 "$job" 2>/dev/null; do
    rank=$(rank_pid 0) || continue
    now=$(for pid in "$rank" $(pgrep -P "$rank"); do cat "/proc/$pid/smaps_rollup"; done 2>/dev/null | awk '/^Pss:/ {sum += $2} END {print sum + 0}')
    ((now > most)) && most=$now
    sleep 0.02
done
await
expect_last 'done .* digest=[0-9a-f]{16}' "256 MB with 64 MB of memory"
((most > 1000)) || fail "the memory of the run was not seen"
if ((most < 64000 + 150000)); then pass "memory: $most kB at most"; else fail "memory: $most kB, more than 64 MB and 150 MB"; fi
finish
