#!/usr/bin/env bash
# Kernels and products give on an Arm processor the bits they give here: they are compiled for aarch64 and run in an
# emulator, on fewer and smaller inputs than compilers.sh has.
. "$(dirname "$0")/../support/lib.sh"
compiler=$(command -v aarch64-linux-gnu-gcc) || skip "no aarch64-linux-gnu-gcc (Debian: gcc-aarch64-linux-gnu)"
emulator=$(command -v qemu-aarch64-static qemu-aarch64 | head -n 1)
[[ $emulator ]] || skip "no qemu-aarch64 (Debian: qemu-user)"

"$build/tests/kernel_bits" baseline few >here || give_up "no kernel_bits; build first"
/usr/bin/python3 "$source/tests/support/kernel_commands.py" "$compiler" "$build" "$source" baseline -DDT_KERNELS_FMA -static \
    >steps || give_up "no commands for $compiler"
head -n -1 steps | tr '\n' '\0' | xargs -0 -n 1 -P 2 sh -c || give_up "the kernels do not compile for aarch64"
sh -c "$(tail -n 1 steps)" || give_up "the kernels do not link for aarch64"
"$emulator" ./kernel_bits baseline few >there || fail "kernel_bits failed on aarch64"
wrong=$(comm -3 <(sort here) <(sort there) | awk '{print $2}' | sort -u | tr '\n' ' ')
if [[ -s here && -z $wrong ]]; then
    pass "$(wc -l <there) kernels have the bits of this processor"
else
    fail "other bits of ${wrong:-all}"
fi
finish
