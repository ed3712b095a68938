#!/usr/bin/env bash
# The released program is hardened: what the compiler and the linker can do against a hole that nobody has found yet is
# in the file itself (meson.build says what for).
. "$(dirname "$0")/../support/lib.sh"

# has WHAT OPTION REGEX: readelf's answer has a line like it
has() {
    readelf -W "$2" "$dtrain" >readelf.out || give_up "no readelf"
    if grep -qE -- "$3" readelf.out; then pass "$1"; else fail "$1: readelf $2 has no line like /$3/"; fi
}
has "it may lie at any address" --file-header 'Type: +DYN '
has "as a program may" --dynamic '\(FLAGS_1\).* PIE( |$)'
has "all symbols are bound at the start" --dynamic '\(FLAGS\).*BIND_NOW|\(BIND_NOW\)'
has "and their table can then not be written" --program-headers '^ *GNU_RELRO '
has "nothing on the stack is run" --program-headers '^ *GNU_STACK .* RW +0x'
has "stacks have a guard" --dyn-syms ' __stack_chk_fail@'
has "buffers' sizes are checked" --dyn-syms ' __(memcpy|snprintf|vsnprintf|read)_chk@'

# No segment can be both written and run.
readelf -W --program-headers "$dtrain" | awk '$1 == "LOAD" && /RWE/ {bad = 1} END {exit bad}' ||
    fail "a segment can be written and run"
# Every function with an array of characters on its stack is guarded, so a good part of all are.
guarded=$(objdump -d --no-show-raw-insn "$dtrain" | grep -c 'call.*__stack_chk_fail')
((guarded > 100)) || fail "only $guarded functions have a guard"
finish
