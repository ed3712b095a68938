#!/usr/bin/env bash
# Fashion-MNIST becomes a dataset with exactly its bytes, however its files are packed and named; anything else is
# refused by its checksum. A destination is complete or untouched, whatever happens to the import.
. "$(dirname "$0")/../support/lib.sh"
[[ -d $idx ]] || give_up "no $idx; install dataset-fashion-mnist"
export DTRAIN=$dtrain
names=(train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte)

fetch() {
    timeout -k 2 "$limit" "$source/data/fetch.sh" "$@" >"$out" 2>"$err" </dev/null
    code=$?
}
# expect_refused REGEX WHAT: exit code 1, one line on standard error, the destination as it was
expect_refused() {
    local before=$failures
    ((code == 1)) || fail "$2: exit code $code"
    [[ $(wc -l <"$err") == 1 ]] || fail "$2: standard error is not one line"
    grep -qE -- "$1" "$err" || fail "$2: standard error is not like /$1/"
    [[ $(head -c 6 dest.h5) == before ]] || fail "$2: the destination was touched"
    [[ -z $(find . -name '*.tmp.*') ]] || fail "$2: a temporary file is left"
    if ((failures > before)); then show "$out" "$err"; else pass "$2"; fi
}
# same_bytes FILE WHAT: the datasets against the IDX files, headers cut off
same_bytes() {
    if compare "$1" 2>"$err"; then pass "$2"; else fail "$2" && show "$err"; fi
}
compare() {
    "$python" - "$1" "$idx" "${names[@]}" <<'END'
import gzip, h5py, sys

with h5py.File(sys.argv[1]) as file:
    for name, dataset in zip(sys.argv[3:], ("train/x", "train/y", "test/x", "test/y")):
        with gzip.open(f"{sys.argv[2]}/{name}.gz") as source:
            header = 4 + 4 * source.read(4)[3]
            source.seek(header)
            assert source.read() == file[dataset][()].tobytes(), dataset
            assert file[dataset].id.get_offset() is not None and file[dataset].chunks is None, dataset
    assert file.attrs["format"] in (b"dtrain dataset", "dtrain dataset") and file.attrs["version"] == 1
END
}

fetch fashion-mnist --dest new/folder/fashion.h5
expect_code 0 "from the package"
same_bytes new/folder/fashion.h5 "its bytes are the files'"
fetch fashion-mnist --dest new/folder/fashion.h5
expect_in "$out" 'there already' "a second time it is there already"

mkdir plain
for name in "${names[@]}"; do gzip -dc "$idx/$name.gz" >"plain/${name/-idx/.idx}"; done
head -c 1000000 new/folder/fashion.h5 >dest.h5 # not readable, so it is made again
fetch fashion-mnist --from plain --dest dest.h5
expect_code 0 "from plain files with dots in their names"
same_bytes dest.h5 "the damaged one that was there is replaced"

echo before >dest.h5
mkdir bad && cp "$idx"/*.gz bad
printf '\001' | dd of=bad/t10k-labels-idx1-ubyte.gz bs=1 seek=2000 conv=notrunc status=none
fetch fashion-mnist --from bad --dest dest.h5
expect_refused 'bad/t10k-labels-idx1-ubyte.gz: damaged' "a damaged gzip file is refused"
rm bad/t10k-labels-idx1-ubyte.gz
fetch fashion-mnist --from bad --dest dest.h5
expect_refused 'bad: has no t10k-labels' "a missing file is named"
cp plain/t10k-labels.idx1-ubyte bad
printf '\012' | dd of=bad/t10k-labels.idx1-ubyte bs=1 seek=2000 conv=notrunc status=none
fetch fashion-mnist --from bad --dest dest.h5
expect_refused 'bad/t10k-labels.idx1-ubyte: wrong content: SHA-256 should be 0402a96.*, is [0-9a-f]{64}$' \
    "one changed byte is refused"
fetch mnist --from "$idx" --dest dest.h5
expect_refused 'wrong content' "Fashion-MNIST is not MNIST"
printf 'First Citizen:\n' >play.txt
fetch shakespeare --from play.txt --dest dest.h5
expect_refused 'play.txt: wrong content: SHA-256 should be 86c4e6aa.*, is [0-9a-f]{64}$' "another text is not shakespeare"
fetch penguins --from play.txt --dest dest.h5
expect_refused 'play.txt: wrong content: SHA-256 should be f204db2c.*, is [0-9a-f]{64}$' "another table is not of penguins"
fetch shakespeare --from plain --dest dest.h5
expect_refused 'plain: no such file' "a directory is no text"
fetch cifar
expect_code 2 "a set it does not know"

files=("${names[@]/#/$idx/}")
files=("${files[@]/%/.gz}")
run 1 import idx "${files[0]}" "${files[3]}" dest.h5
expect_refused '60000 images.*10000 labels' "images and labels of other counts are refused"
run 1 import idx "${files[1]}" "${files[0]}" dest.h5
expect_refused 'IMAGES LABELS' "labels and images in the wrong order are refused"
(ulimit -f 2000 && trap '' XFSZ && exec "$dtrain" import idx "${files[@]}" dest.h5) >"$out" 2>"$err"
code=$?
expect_refused 'dest.h5' "a full disk is an error"
run 1 import tar a b dest.h5
expect_bad 2 'import has no kind "tar"' "an unknown kind is wrong use"
run 1 import idx a
expect_bad 2 'idx' "too few files are wrong use"

# Killed at a call it makes on the way to its destination: some of them, with the first and the last.
faulty() { # faulty REQUEST: an import with it
    rm -f log
    { DTRAIN_FAULT="path=$work/dest.h5 armed=1 $1" DTRAIN_FAULT_LOG=$work/log LD_PRELOAD=$build/tests/faultshim.so \
        "$dtrain" import idx "${files[@]}" "$work/dest.h5"; } >"$out" 2>&1
    code=$?
}
faulty ""
expect_code 0 "an import that is looked at"
calls=$(wc -l <log)
((calls > 10)) || fail "it makes only $calls calls"
grep -q ' rename ' log || fail "no call of it puts the file in its place"
for nth in $(seq 1 $((calls / 12 + 1)) $((calls - 1))) "$calls"; do
    echo before >dest.h5
    faulty "nth=$nth do=kill"
    grep -q ' fault$' log || fail "there was no call $nth"
    ((code == 137)) || fail "killed at call $nth: exit code $code"
    [[ $(head -c 6 dest.h5) == before ]] || compare dest.h5 || fail "killed at call $nth: half a destination"
done
pass "killed at any of $calls calls, it is what it was or complete"
finish
