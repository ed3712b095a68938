#!/usr/bin/env bash
# fuzz.sh TARGET [RUNS [SEED]]: runs a fuzz target over its corpus and mutations of it. The corpora are the recipes in
# launch/, what is in corpus/, and files that are made here. Longer, and with other seeds: fuzz.sh recipe 1000000 7.
# fuzz.sh TARGET 600s [SEED]: so many seconds of processor time, guided by coverage (libFuzzer), in a build with
# -Dfuzzer=true; inputs that reach new code are kept in DTRAIN_BUILD/corpus/TARGET and are where the next time begins.
. "$(dirname "$0")/../support/lib.sh"
target=$1
declare -A usual=([recipe]=150000 [columns]=150000 [text]=27000 [gpt2]=72000 [idx]=12000 [checkpoint]=900 [data]=540 [safetensors]=60000
    [csv]=1000 [numpy]=1500 [pictures]=30000 [message]=30000 [masks]=5000)
runs=${2:-${usual[$target]}} seed=${3:-1}
mkdir made
case $target in
    recipe) inputs=("$source/launch/recipes") ;;
    idx | data | safetensors | numpy | pictures | message | masks)
        /usr/bin/python3 "$source/tests/fuzz/corpus.py" "$target" made || give_up "no corpus"
        inputs=(made)
        ;;
    checkpoint)
        watched=${ASAN_OPTIONS-}
        export ASAN_OPTIONS=detect_leaks=0 # Open MPI's, of modules that are gone by then
        for i in {1..20}; do echo "a few words, and a few words more: $i"; done >text
        run 1 import text text text.h5 --tokens bpe --vocab 260
        expect_code 0 "a text"
        printf '%s\n' 'data: {file: text.h5, context: 4}' 'model: {layers: [{embedding: 2}, {dense: 260}]}' \
            'train: {steps: 1, batch: 2, shards: 1}' >recipe.yaml
        run 1 train recipe.yaml --run run
        expect_code 0 "a checkpoint"
        cp text.h5 run/checkpoints/*.h5 made/
        inputs=(made)
        export ASAN_OPTIONS=$watched
        ;;
esac
[[ $target != data ]] || export ASAN_OPTIONS=detect_leaks=0 # it starts MPI
[[ ! -d $source/tests/fuzz/corpus/$target ]] || inputs+=("$source/tests/fuzz/corpus/$target")

if [[ $runs == *s ]]; then
    guided=$build/tests/guided_$target found=$build/corpus/$target
    [[ -x $guided ]] || give_up "$guided is not there: meson setup -Dfuzzer=true -Db_sanitize=address,undefined, with CC=clang"
    inputs=("${inputs[@]/#made/$work/made}")
    mkdir -p "$found" files && cd files || exit
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
    {
        (
            ulimit -S -t "${runs%s}" # its children have their own
            exec "$guided" -seed="$seed" -max_len=16384 -timeout=100 -rss_limit_mb=4096 \
                -artifact_prefix="$build/crash-$target-" "$found" "${inputs[@]}" >"$out" 2>"$err"
        )
        code=$?
    } 2>/dev/null # where bash says that its time is over
    last=$(grep -a '^#[0-9]' "$err" | tail -n 1)
    ((code != 128 + $(kill -l XCPU))) || code=0 # its time was over
    expect_code 0 "$target, guided, ${runs%s} s, seed $seed: ${last//$'\t'/ }"
    ((code == 0)) || sed 's/^/      | /' "$err" | grep -av '#[0-9]' | head -n 60
    finish
fi
TMPDIR=$work timeout 1200 "$build/tests/fuzz_$target" --runs "$runs" --seed "$seed" "${inputs[@]}" >"$out" 2>"$err"
code=$?
expect_code 0 "$target, seed $seed: $(tail -n 1 "$out")"
if ((code != 0)); then
    sed 's/^/      | /' "$err" | head -n 40
    for input in crash-*; do
        [[ -f $input ]] && cp "$input" "$build/$input-$seed" && echo "      | kept as $build/$input-$seed"
    done
fi
finish
