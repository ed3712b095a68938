#!/usr/bin/env bash
# Kills and resumes real runs for long: tests/fault/soak.sh [--hours H | --runs N] [--seed S]
# Needs a built ./dtrain and data/fashion-mnist.h5 (launch/quickstart.sh makes both). Options of kill.py may follow: --family text --data FILE.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/fault/kill.py --program "${DTRAIN:-./dtrain}" --recipe launch/recipes/fashion-mlp.yaml \
    --data data/fashion-mnist.h5 "$@"
