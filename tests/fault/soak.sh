#!/usr/bin/env bash
# Interrupts and resumes real runs for long: tests/fault/soak.sh [--hours H | --runs N] [--seed S] [--verbose]
# Needs a built ./dtrain and data/fashion-mnist.h5 (launch/quickstart.sh makes both). Options of kill.py may follow: --texts FILE --idx DIR
# --shim build/tests/faultshim.so add texts, killed imports and kills in unpacking; as root there are two hosts, too.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/fault/kill.py --program "${DTRAIN:-./dtrain}" --recipe launch/recipes/fashion-mlp.yaml \
    --images data/fashion-mnist.h5 "$@"
