#!/usr/bin/env bash
# Kernels give the same bits whatever compiler made them and for every instruction set: what the build's own compute is
# held against a table (tests/golden/kernels.txt), and they are compiled again by another compiler, with the build's
# flags, and held against the same. DTRAIN_COMPILERS names others than the one that is looked for.
#   tests/system/compilers.sh [--write]   puts what the build's own compute into the table, where bits change on purpose
. "$(dirname "$0")/../support/lib.sh"
table=$source/tests/golden/kernels.txt

# of ISA FILE: its lines "kernel hash"
of() { sed -n "s/^$1 //p" "$2" | sort; }

"$build/tests/kernel_bits" >own || give_up "no kernel_bits; build first"
isas=$(cut -d' ' -f1 own | uniq | tr '\n' ' ')
if [[ ${1:-} == --write ]]; then
    { grep '^#' "$table" && of baseline own; } >new && cp new "$table"
fi
for isa in baseline avx2 avx512; do [[ $isas == *$isa* ]] || lacks "$isa: not on this machine"; done

# compare FILE COMPILER: every kernel of every instruction set against the table
compare() {
    local isa wrong
    for isa in $isas; do
        of "$isa" "$1" >these
        wrong=$(comm -3 these those | awk '{print $1}' | sort -u | tr '\n' ' ')
        if [[ -s these && -z $wrong ]]; then
            pass "$2, $isa: $(wc -l <these) kernels as in the table"
        else
            fail "$2, $isa: other bits of ${wrong:-all}"
        fi
    done
}
grep -v '^#' "$table" | sort >those
compare own "this build"
alone=$isas isa=$(awk '{print $NF}' <<<"$isas")
for threads in 2 3; do
    "$build/tests/kernel_bits" "$isa" $threads >on_threads || fail "kernel_bits on $threads threads"
    isas=$isa && compare on_threads "on $threads threads"
done
isas=$alone

# The first that is not of this build's kind.
others=${DTRAIN_COMPILERS:-}
case $(grep -m 1 '"command"' "$build/compile_commands.json") in
*clang*) candidates="gcc gcc-14 gcc-13 gcc-12" ;;
*) candidates="clang clang-19 clang-16 clang-14" ;;
esac
for candidate in $candidates; do
    [[ -z $others ]] && command -v "$candidate" >/dev/null && others=$candidate
done
[[ -n $others ]] || lacks "a second compiler: none of $candidates is installed"
for compiler in $others; do
    cd "$(mktemp -d "$work/compiler.XXXXXX")" || exit 1
    /usr/bin/python3 "$source/tests/support/kernel_commands.py" "$compiler" "$build" "$source" >steps || give_up "no commands for $compiler"
    head -n -1 steps | tr '\n' '\0' | xargs -0 -n 1 -P 2 sh -c || give_up "$compiler does not compile the kernels"
    sh -c "$(tail -n 1 steps)" || give_up "$compiler does not link them"
    ./kernel_bits >"$work/other" || fail "kernel_bits of $compiler failed"
    cd "$work" || exit 1
    compare other "$compiler"
done
finish
