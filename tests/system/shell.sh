#!/usr/bin/env bash
# All scripts pass shellcheck (.shellcheckrc).
. "$(dirname "$0")/../support/lib.sh"

mapfile -t scripts < <(find "$source"/{.ci,launch,tests,data} -type f \
    \( -name '*.sh' -o -name '*.sbatch' -o -path '*/.ci/run' \))
cd "$source" || exit 1
shellcheck "${scripts[@]}" || fail "shellcheck has findings"
finish
