#!/usr/bin/env bash
# The bits of a run are what they were, and the same on every processor: short runs of all kinds of models, rules and wires
# end with the digests of a table (tests/golden/digests.txt), with each instruction set this processor has.
#   tests/system/digests.sh [--write]   puts what this machine computes into the table: where bits change on purpose
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data pictures.h5 300 64
table=$source/tests/golden/digests.txt

# A text that is the same everywhere: words of a made-up language, by a generator that is written out.
"$python" - >text.txt <<'END'
state, words = 1, []
for _ in range(6000):
    word = ""
    for _ in range(3):
        state = (state * 1103515245 + 12345) % 2**31
        word += "bdfgklmnprst"[(state >> 16) % 12] + "aeiou"[(state >> 8) % 5]
    words.append(word[: 2 + (state >> 20) % 5] + (".\n" if state >> 27 == 3 else ""))
print(" ".join(words))
END
run 1 import text text.txt text.h5 --tokens char
expect_code 0 "the text"
tokens=$("$python" -c "import h5py; print(h5py.File('text.h5')['vocab/offsets'].size - 1)")
"$python" - <<'END' || give_up "no numbers"
import h5py, numpy

i, j = numpy.arange(400)[:, None], numpy.arange(12)[None, :]
x = ((i * 7 + j * 13 + i * j * 3) % 41 - 20).astype("f4") / 8
with h5py.File("numbers.h5", "w") as file:
    for split in ("train", "test"):
        file[f"{split}/x"], file[f"{split}/y"] = x, (x[:, :3] * x[:, 3:6]).astype("f4")
END

# ---- the recipes: ranks, and options beside those all have ------------------------------------------------------------
names=()
declare -A ranks_of recipe_of
recipe() { # recipe NAME RANKS <YAML
    names+=("$1")
    ranks_of[$1]=$2
    recipe_of[$1]=$work/$1.yaml
    cat >"$work/$1.yaml"
}
recipe adam 2 <<'END'
data: {file: pictures.h5, mean: 73, std: 90}
model: {layers: [flatten, dense: {out: 40, activation: gelu}, dropout: 0.2, dense: {out: 24, activation: leaky_relu}, dense: 10], label_smoothing: 0.1}
optimizer: {kind: adam, lr: 0.002, l2: 0.0001, clip_norm: 1}
schedule: {kind: step, period: 7, warmup: 3}
train: {batch: 48, steps: 20, shards: 4}
END
recipe momentum-i64 3 <<'END'
data: {file: numbers.h5}
model: {layers: [dense: {out: 20, activation: tanh}, layer_norm, dense: {out: 16, activation: silu}, dense: 3], loss: mean_squared_error}
optimizer: {kind: sgd, lr: 0.01, momentum: 0.9, clip_value: 0.05}
schedule: {kind: linear, warmup: 5}
train: {batch: 30, steps: 40, shards: 5, micro_batch: 4}
reduce: {wire: i64}
END
recipe adagrad-f32 2 <<'END'
data: {file: pictures.h5, mean: 73, std: 90}
model: {layers: [flatten, dense: {out: 32, activation: sigmoid}, dense: 10], loss: binary_cross_entropy}
optimizer: {kind: adagrad, lr: 0.02}
train: {batch: 40, steps: 20, shards: 2}
reduce: {wire: f32}
END
recipe cnn 2 <<'END'
data: {file: pictures.h5, mean: 73, std: 90}
model:
  layers: [conv2d: {out: 8, activation: relu}, max_pool, conv2d: {out: 16, groups: 4, kernel: 5, activation: leaky_relu},
           group_norm: {groups: 4}, upsample: {factor: 2, method: linear}, avg_pool: 4, flatten, dense: {out: 32, activation: relu}, dense: 10]
optimizer: {kind: sgd, lr: 0.05}
train: {batch: 26, steps: 6, shards: 4}
END
recipe resnet 3 <<'END'
data: {file: pictures.h5, normalize: computed, channels: none, augment: {crop_padding: 2, flip: true}}
model:
  layers:
    - conv2d: {out: 8, bias: false, init: he_normal}
    - batch_norm: {activation: relu}
    - residual:
        activation: relu
        layers: [conv2d: {out: 16, stride: 2, bias: false}, batch_norm: {activation: relu}, conv2d: {out: 16, bias: false}, batch_norm]
        shortcut: [conv2d: {out: 16, kernel: 1, stride: 2, bias: false}, batch_norm]
    - concat: [[conv2d: 4], [max_pool: {kernel: 3, stride: 1, padding: same}]]
    - global_avg_pool
    - dense: 10
optimizer: {kind: sgd, lr: 0.1, momentum: 0.9, nesterov: true, l2: 0.0005}
schedule: {kind: one_cycle, peak: 0.2, final: 0.0005}
train: {batch: 24, steps: 5, shards: 3}
END
recipe gpt 2 <<'END'
data: {file: text.h5, context: 48}
model: {layers: [gpt: {layers: 2, heads: 4, width: 64, bias: false, dropout: 0.1}]}
optimizer: {kind: adamw, lr: 0.002, beta2: 0.99, weight_decay: 0.1, clip_norm: 1}
schedule: {kind: cosine, warmup: 4, final: 0.1}
train: {batch: 9, steps: 12, shards: 4}
END
recipe llama 4 <<'END'
data: {file: text.h5, context: 70}
model:
  layers: [gpt: {layers: 2, heads: 4, kv_heads: 2, width: 48, norm: rms_norm, mlp: swiglu, positions: rotary, bias: false, tied: false}]
optimizer: {kind: adamw, lr: 0.002, weight_decay: 0.1}
train: {batch: 6, steps: 8, shards: 4}
reduce: {node_ranks: 2}
END
recipe bert 2 <<'END'
data: {file: text.h5, context: 32, objective: masked}
model: {layers: [bert: {layers: 2, heads: 2, width: 48}]}
optimizer: {kind: adamw, lr: 0.002}
train: {batch: 10, steps: 10, shards: 2}
END
recipe lstm 2 <<END
data: {file: text.h5, context: 20, windows: stream}
model: {layers: [lstm: {units: 32, layers: 2, dropout: 0.1}, dense: $tokens]}
optimizer: {kind: adam, lr: 0.005, clip_norm: 1}
train: {batch: 12, steps: 12, shards: 4}
END
recipe gru-rnn 3 <<END
data: {file: text.h5, context: 20, windows: stream}
model: {layers: [gru: 24, simple_rnn: 16, dense: $tokens]}
optimizer: {kind: rmsprop, lr: 0.003, momentum: 0.5}
train: {batch: 12, steps: 12, shards: 4}
END
recipe bf16-gpt 2 <<'END'
data: {file: text.h5, context: 48}
model: {layers: [gpt: {layers: 2, heads: 2, width: 64, dropout: 0.1}]}
optimizer: {kind: adamw, lr: 0.002, weight_decay: 0.1, clip_norm: 1}
train: {batch: 8, steps: 10, shards: 2}
compute: {precision: bf16}
END
recipe bf16-cnn 2 <<'END'
data: {file: pictures.h5, mean: 73, std: 90}
model: {layers: [conv2d: {out: 16, activation: relu, stride: 2}, conv2d: {out: 16, activation: relu}, flatten, dense: 10]}
optimizer: {kind: adam}
train: {batch: 24, steps: 5, shards: 2}
compute: {precision: bf16}
END

# ---- what they end with --------------------------------------------------------------------------------------------------

# compute ISA NAME: a line "ISA NAME DIGEST" to found; not on a processor that cannot
compute() {
    local isa=$1 name=$2
    rm -rf run
    run "${ranks_of[$name]}" train "${recipe_of[$name]}" --run run \
        --set "compute.isa=$isa" --set train.eval_every=never --set checkpoint.every=never
    if grep -q 'which this machine does not have' "$err"; then
        lacks "$isa: this processor does not have it"
        return 1
    fi
    ((code == 0)) || { fail "$isa, $name: exit code $code" && show "$err" && return; }
    echo "$isa $name $(last_value digest)" >>found
}
for isa in baseline avx2 avx512; do
    for name in "${names[@]}"; do
        compute "$isa" "$name" || break
    done
done
((failures == 0)) || finish

"$python" - found "$table" "${1-}" <<'END' || fail "the table"
import sys

read = lambda name: [line.split() for line in open(name) if line.strip() and line[0] != "#"]
found, write = read(sys.argv[1]), sys.argv[3] == "--write"
table = dict(read(sys.argv[2]))
names = list(dict.fromkeys(name for _, name, _ in found))
bad = 0
for name in names:
    digests = {isa: digest for isa, other, digest in found if other == name}
    if len(set(digests.values())) > 1:
        print(f"FAIL  {name}: the instruction sets disagree: {digests}")
        bad += 1
    elif write:
        table[name] = next(iter(digests.values()))
    elif name not in table:
        print(f"FAIL  {name}: the table has no row of it (--write adds one)")
        bad += 1
    elif table[name] in digests.values():
        print(f"ok    {name}: {table[name]} with {', '.join(digests)}")
    else:
        print(f"FAIL  {name}: digest {next(iter(digests.values()))}, not {table[name]}")
        bad += 1
if write and not bad:
    head = [line for line in open(sys.argv[2]) if line[0] == "#"]
    open(sys.argv[2], "w").writelines(head + [f"{name} {table[name]}\n" for name in names])
sys.exit(bad > 0)
END
finish
