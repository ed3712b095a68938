#!/usr/bin/env bash
# What `meson install` puts down is whole and works there; manual pages, completion and packages say what the program says.
. "$(dirname "$0")/../support/lib.sh"

root=$work/root
meson install -C "$(realpath "$build")" --no-rebuild --quiet --destdir "$root" >"$out" 2>"$err" || give_up "meson install: $(tail -n 3 "$err")"
bin=$(find "$root" -path '*/bin/dtrain')
prefix=${bin%/bin/dtrain}
[[ -x $bin ]] || give_up "no program is installed"
packaging=$source/launch/packaging

# ---- installed ----

for name in README.md CHANGELOG.md LICENSE; do
    [[ -s $prefix/share/doc/dtrain/$name ]] || fail "$name is not installed"
done
while read -r name; do
    cmp -s "$source/$name" "$prefix/share/dtrain/$name" || fail "$name is not installed"
done < <(cd "$source" && git ls-files launch data/fetch.sh | grep -vE '^launch/(packaging/|quickstart\.sh)') # which builds the tree
DTRAIN=$bin "$prefix/share/dtrain/launch/local.sh" -n 1 --version >"$out" 2>"$err"
expect_last 'dtrain [0-9.]+' "the installed launcher starts the installed program"
version=$(tail -n 1 "$out" | cut -d' ' -f2)
for name in "$packaging/debian/changelog" "$packaging/conda/meta.yaml" "$packaging"/easybuild/*.eb "$source/.github/CITATION.cff"; do
    grep -qF "${version:-?}" "$name" || fail "${name##*/} is of another version than $version"
done

# Every installed file is in a Debian package, and no package waits for one that is not installed.
find "$prefix" \( -type f -o -type l \) -printf 'usr/%P\n' | sed -E 's|^usr/lib[^/]*/([^/]*-linux-gnu[^/]*/)?|usr/lib/*/|' >installed
cat "$packaging"/debian/{*.install,not-installed} >patterns
if grep -q '/libdtrain.so' installed; then
    "$python" - installed patterns >"$out" <<'END' || fail "Debian's packages: $(cat "$out")"
import fnmatch, sys

files, patterns = ([line.strip() for line in open(name)] for name in sys.argv[1:])
of = {p: [f for f in files if fnmatch.fnmatchcase(f, p.replace("*/", "[*]/", 1)) or f.startswith(p + "/")] for p in patterns}
lost = set(files).difference(*of.values())
waits = [pattern for pattern in patterns if not of[pattern]]
if lost or waits:
    print("in none:", *sorted(lost), "; in vain:", *waits)
    sys.exit(1)
END
else
    lacks "packages of the library: it is not built here"
fi

# ---- manual pages ----

# rendered PAGE: its words, in one line
rendered() { groff -man -Tutf8 -Kutf8 -P-c -rLL=3000n "$1" 2>&1 | col -b | sed 's/[‐−‑]/-/g' | tr -s ' \n\t' ' '; }
if command -v groff >/dev/null; then
    page=$prefix/share/man/man1/dtrain.1 fields_page=$prefix/share/man/man5/dtrain-recipe.5
    groff -man -ww -z -Kutf8 "$page" "$fields_page" 2>"$err"
    [[ ! -s $err ]] || fail "groff warns of the pages: $(head -n 3 "$err")"
    rendered "$page" >page.1
    rendered "$fields_page" >page.5
    "$bin" --help | sed -nE 's/^  ([a-z]+( [a-z]+)?) +[a-z].*/\1/p' | grep -v '^dtrain' >commands
    while read -r command; do
        # shellcheck disable=SC2086  # a command may be two words
        "$bin" $command --help
    done <commands >help
    "$bin" --help >>help
    "$bin" train --help-recipe >fields
    "$python" - >"$out" <<'END' || fail "the pages do not say what --help says: $(head -n 5 "$out")"
import re, sys

bad = 0
for page, texts in (("page.1", "help"), ("page.5", "fields")):
    page = open(page, encoding="utf-8").read()
    lines = [re.sub(r"^usage: ", "", line) for line in open(texts, encoding="utf-8").read().splitlines()]
    if len(lines) < 100:
        print(texts, "is", len(lines), "lines")
        bad += 1
    for line in filter(str.strip, lines):
        for piece in re.split(r"  +|^[a-z0-9_]+: |: (?=[a-z])", line.strip()):
            words = " ".join(piece.split())
            if words not in page and words[:1].upper() + words[1:] not in page and words not in ('""', '(required)'):
                bad += 1
                print(repr(piece))
sys.exit(bad > 0)
END
    pass "$(wc -l <commands) commands and $(grep -cE '^ *[a-z0-9_]+(\.[a-z0-9_]+)+  ' fields) fields: the pages say what the help says"
else
    lacks "manual pages: groff is not installed"
fi

# ---- completion ----

# offers WORD…: what the shell would offer for the last
offers() {
    # shellcheck disable=SC2016  # it is the other shell's
    bash -c '. "$1"; shift; compopt() { :; }; COMP_WORDS=(dtrain "$@"); COMP_CWORD=$#; _dtrain; printf "%s\n" "${COMPREPLY[@]}"' \
        offers "$prefix/share/bash-completion/completions/dtrain" "$@" | sort | tr '\n' ' '
}
expect_offer() { # expect_offer WANTED WORD…
    local wanted=$1 found
    shift
    found=$(offers "$@")
    if [[ $found == "$wanted " ]]; then pass "dtrain $*<Tab>: $wanted"; else fail "dtrain $*<Tab>: $found, not $wanted"; fi
}
expect_offer predict pre
expect_offer "optimizer.lr=" train --set optimizer.lr
expect_offer "--set" train --se
expect_offer "all test train validation" eval runs/x --split ""
expect_offer "--weights" sample runs/x --we
expect_offer "onnx" export runs/x --to on
expect_offer "crop stretch" import images a b --fit ""
expect_offer "--into" import weights --i
expect_offer "" verify runs/

# ---- what the program was built with ----

"$bin" --version --verbose >"$out" 2>"$err"
"$python" - "$out" "$(ldd "$bin")" >said 2>&1 <<'END' || fail "--version --verbose: $(tail -n 1 said)"
import re, sys

said = dict(re.sub(":$", ": ", line.rstrip("\n")).split(": ", 1) for line in open(sys.argv[1]))
flags = set(re.search(r"^flags\s*: (.*)", open("/proc/cpuinfo").read() + "\nflags : ", re.M)[1].split())
sets = re.match(r"\{built: \[(.*)\], here: \[(.*)\], taken: (\w+)\}", said["instruction sets"])
here = sets[2].split(", ")
if flags:
    assert ("avx2" in here) == ({"avx2", "fma"} <= flags), here
    assert ("avx512" in here) == ({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"} <= flags), here
    assert (said["bfloat16 instructions"] == "true") == ("avx512_bf16" in flags and "avx512" in here), said
assert sets[3] == here[-1] and set(here) <= set(sets[1].split(", ")), sets
for name in ("jansson", "zip", "png", "jpeg", "yaml"):
    linked = re.search(r"\blib%s[-0-9]*\.so" % name, sys.argv[2]) is not None
    assert linked == (re.search(r"\b(lib)?%s: \d" % name, said["libraries"]) is not None), (name, said["libraries"])
    assert linked == (name not in said["missing"]), (name, said["missing"])
assert re.match(r"\d+\.\d+\.\d+, (serial|parallel), built with \d", said["hdf5"]), said["hdf5"]
assert re.match(r'"(Open MPI|MPICH).*, standard [34]\.\d, built with ', said["mpi"]), said["mpi"]
END

# ---- recipes of other packages, as far as they can be looked at without their tools ----

"$python" - "$packaging" "$source" >"$out" 2>&1 <<'END' || fail "packages: $(tail -n 1 "$out")"
import pathlib, re, sys

packaging, source = map(pathlib.Path, sys.argv[1:])
for path in (packaging / "spack/package.py", *packaging.glob("easybuild/*.eb")):
    compile(path.read_text(), str(path), "exec")
known = set(re.findall(r"^option\('(\w+)'", (source / "meson_options.txt").read_text(), re.M))
files = [path for path in packaging.rglob("*") if path.is_file() and path.suffix != ".pyc"]
used = {(path.name, option) for path in files for option in re.findall(r"-D(\w+)=|feature\(\"(\w+)\"", path.read_text()) for option in option if option}
assert len(used) > 10, used
assert not [(name, option) for name, option in used if option not in known], used
END
if "$python" -c 'import yaml' 2>/dev/null; then
    "$python" -c 'import sys, yaml
for name in sys.argv[1:]: assert yaml.safe_load(open(name)), name' "$packaging/conda/meta.yaml" "$source/.github/CITATION.cff" \
        2>"$err" || fail "YAML: $(tail -n 1 "$err")"
else
    lacks "YAML of conda's recipe and CITATION.cff: Python has no yaml"
fi
for part in post runscript; do
    awk -v part="%$part" '/^%/ {on = $1 == part; next} /^Bootstrap/ {on = 0} on' "$packaging/apptainer/dtrain.def" >part.sh
    { [[ -s part.sh ]] && bash -n part.sh; } || fail "apptainer: %$part is no shell script"
done
if command -v reuse >/dev/null; then
    # The licence's text is LICENSE; where the tool wants it is no place of ours.
    mkdir tree
    (cd "$source" && git ls-files -z | xargs -0 cp --parents -t "$work/tree")
    mkdir tree/LICENSES
    mv tree/LICENSE tree/LICENSES/MIT.txt
    reuse --root tree lint >"$out" 2>&1 || fail "reuse lint: $(tail -n 12 "$out")"
else
    lacks "licences of all files: reuse is not installed"
fi
finish
