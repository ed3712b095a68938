#!/usr/bin/env bash
# The calls of a publication that all ranks wait for, as at the end of a run; publish.sh has those of one beside training.
exec "$(dirname "$0")/publish.sh" --waiting
