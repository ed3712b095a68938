#!/usr/bin/env bash
# Files for sites: every sample in one of them, whatever form the data has; what trains on them meets the same numbers; they
# appear together or not at all.
. "$(dirname "$0")/../support/lib.sh"

# A file of all the forms that data has, and what the parts of it must say.
cat >forms.py <<'END'
import sys, h5py, numpy
N, M = 230, 40
def whole():
    random = numpy.random.default_rng(5)
    with h5py.File("whole.h5", "w") as file:
        file.attrs["title"] = "what the whole says"
        train = file.create_group("train")
        train.attrs["place"] = numpy.array([1.5, 2.5], ">f8")
        x = train.create_dataset("x", data=random.normal(size=(N, 3, 2)).astype(">f4"), chunks=(7, 3, 2), compression="gzip", shuffle=True)
        x.attrs["units"] = "mm"
        x.attrs["elsewhere"] = file.ref
        train["y"] = random.choice([b"cat", b"dog", b"emu"], N).astype("S3")
        train["class"] = random.integers(0, 3, N).astype("i2")
        train.create_dataset("kind", data=random.integers(0, 3, N), dtype=h5py.enum_dtype({"red": 0, "green": 1, "blue": 2}, "i1"))
        train["hot"] = numpy.eye(4, dtype="f4")[random.integers(0, 4, N)]
        train["row"] = numpy.array([(i, i / 2) for i in range(N)], [("id", "i4"), ("p", "f8")])
        train.create_dataset("note", data=["n" * (i % 5) for i in range(N)], dtype=h5py.string_dtype())
        train["weights"] = numpy.arange(N, dtype="u8")
        train["other"] = numpy.arange(N + 1)
        train["point"] = 3.25
        file["far/row"] = numpy.arange(N)
        file["test/x"] = random.normal(size=(M, 3, 2)).astype("f4")
        file["test/y"] = random.choice([b"cat", b"dog", b"emu"], M).astype("S3")
        file.create_dataset("test/kind", data=random.integers(0, 3, M), dtype=h5py.enum_dtype({"red": 0, "green": 1, "blue": 2}, "i1"))
        file.create_group("empty/inside").attrs["said"] = "yes"

def check(directory, sites):
    seen = []
    with h5py.File("whole.h5") as file:
        train = file["train"]
        for site in range(sites):
            with h5py.File(f"{directory}/site-{site}.h5") as part:
                rows = part["train/row"]["id"]
                assert (numpy.diff(rows) > 0).all(), "samples are not in their order"
                seen += list(rows)
                for name in ("x", "class", "kind", "hot", "row", "note", "weights"):
                    assert part["train"][name].dtype == train[name].dtype, name
                    assert (part["train"][name][()] == train[name][()][rows]).all(), name
                    assert part["train"][name].chunks is None, name
                names = h5py.check_enum_dtype(part["train/y"].dtype)
                assert names == {"cat": 0, "dog": 1, "emu": 2}, names
                assert [sorted(names)[label].encode() for label in part["train/y"]] == list(train["y"][()][rows])
                assert h5py.check_enum_dtype(part["train/kind"].dtype) == {"red": 0, "green": 1, "blue": 2}
                for name in ("far/row", "train/other", "train/point", "test/x", "test/y", "test/kind"):
                    assert (part[name][()] == file[name][()]).all() and part[name].dtype == file[name].dtype, name
                assert part["train/x"].attrs["units"] == "mm" and "elsewhere" not in part["train/x"].attrs
                assert list(part["train"].attrs["place"]) == [1.5, 2.5] and part["empty/inside"].attrs["said"] == "yes"
                assert part.attrs["title"] == "what the whole says"
                assert (part.attrs["part"], part.attrs["parts"], part.attrs["partition_seed"]) == (site, sites, 3)
    assert sorted(seen) == list(range(N)), "not every sample is in one part"

whole() if len(sys.argv) == 1 else check(sys.argv[1], int(sys.argv[2]))
END
"$python" forms.py || give_up "no data to try"

for partition in iid 'dirichlet(1)' 'by-label(2)' 'quantity(2)'; do
    run 1 split whole.h5 --sites 5 --partition "$partition" --seed 3 -o "parts-$partition"
    expect_code 0 "$partition: a file is split"
    "$python" forms.py "parts-$partition" 5 || fail "$partition: what is in the parts"
done
expect_in "$out" 'dealt: /train/class, /train/hot, /train/kind, /train/note, /train/row, /train/weights, /train/x, /train/y' "what was dealt is said"
expect_in "$out" 'in every file: /far/row, /test/kind, /test/x, /test/y, /train/other, /train/point' "and what is in every file"
expect_last 'split sites=5 partition=quantity\(2\) seed=3 samples=230 least=[0-9]+ most=[0-9]+' "the last line"
run 1 split whole.h5 --sites 70 --partition iid --seed 3 -o many
expect_last 'split sites=70 .* samples=230 least=3 most=4' "more parts than are written at once"
"$python" forms.py many 70 || fail "what is in 70 parts"

# Classes of any form give the same deal.
"$python" - <<'END'
import h5py
with h5py.File("whole.h5") as file, h5py.File("alike.h5", "w") as out:
    out["train/row"] = file["train/row"]["id"]
    out["train/y"] = labels = file["train/kind"][()].astype("i8")
    out["train/named"] = [[b"a", b"b", b"c"][label] for label in labels]
    out["train/large"] = labels.astype("f8") * 1000 - 500
    out["train/hot"] = [[float(i == label) for i in range(3)] for label in labels]
END
for by in y named large hot; do run 1 split alike.h5 --sites 4 --partition 'dirichlet(0.7)' --by "/train/$by" -o "by-$by"; done
if "$python" - <<'END'
import h5py
for site in range(4):
    rows = [h5py.File(f"by-{by}/site-{site}.h5")["train/row"][()].tolist() for by in ("y", "named", "large", "hot")]
    assert all(other == rows[0] for other in rows), site
END
then pass "integers, strings, numbers and one-hot rows are dealt alike"; else fail "a deal depends on how labels are written"; fi

# One site has everything: it trains to the same weights, and strings are still what they were called.
cat >small.yaml <<'END'
data: {file: whole.h5, normalize: none}
model: {layers: [flatten, dense: 3]}
optimizer: {kind: sgd, lr: 0.1}
train: {batch: 20, steps: 10}
END
train() { run 1 train small.yaml --run "$1" --set "data.file=$2"; }
run 1 split whole.h5 --sites 1 --partition iid -o alone
train whole whole.h5
expect_code 0 "the whole is trained"
digest=$(last_value digest)
train part alone/site-0.h5
if [[ $(last_value digest) == "$digest" ]]; then pass "a part that is all trains to the same digest"; else fail "a part that is all trains to another digest"; fi

refused() { # refused CODE REGEX WHAT ARGUMENT…
    local code=$1 says=$2 what=$3
    shift 3
    run 1 split "$@"
    expect_bad "$code" "$says" "$what"
}
refused 2 'split needs DATA.h5, --sites N' "nothing to do" whole.h5
refused 2 '--sites is "0"; it must be a whole number from 1' "no site" whole.h5 --sites 0 --partition iid -o new
refused 2 '--sites needs a value' "no number" whole.h5 --partition iid -o new --sites
refused 2 'split has no option --site' "another option" whole.h5 --site 3
refused 1 '--partition: "niid" is not iid, dirichlet\(A\)' "another partition" whole.h5 --sites 3 --partition niid -o new
refused 1 '230 samples are too few for 231 sites' "more sites than samples" whole.h5 --sites 231 --partition iid -o new
refused 1 'asks for 4 classes a site, but the data has 3' "more classes than there are" whole.h5 --sites 3 --partition 'by-label(4)' -o new
refused 1 'whole.h5: /train/row' "rows that are no labels" whole.h5 --sites 3 --partition 'by-label(1)' --by /train/row -o new
refused 1 '/test/x row 0 begins with .* no class' "numbers that are no classes" whole.h5 --sites 3 --partition 'by-label(1)' --by /test/x -o new
refused 1 'there is no /train/z' "no such dataset" whole.h5 --sites 3 --partition iid --by /train/z -o new
refused 1 'none.h5' "no such file" none.h5 --sites 3 --partition iid -o new
refused 2 'with something in it' "a directory in use" whole.h5 --sites 3 --partition iid -o alone
head -c 3000 whole.h5 >torn.h5
refused 1 'torn.h5' "a torn file" torn.h5 --sites 3 --partition iid -o new
"$python" -c '
import h5py
with h5py.File("pointing.h5", "w") as file:
    file["train/y"] = range(50)
    file.create_dataset("train/who", data=[file.ref] * 50, dtype=h5py.ref_dtype)'
refused 1 'rows of /train/who are references' "references" pointing.h5 --sites 3 --partition iid -o new
if [[ ! -e new ]] && ! compgen -G 'new*' >/dev/null; then pass "a refusal leaves nothing behind"; else fail "something is left: $(ls -d new*)"; fi
finish
