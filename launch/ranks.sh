#!/usr/bin/env bash
# How ranks are started on one machine, whichever MPI dtrain was built with: Open MPI 4 or 5, or MPICH 4 and what is made
# of it. The one place that knows; local.sh and the tests source it, and by itself it is
#   launch/ranks.sh RANKS PROGRAM ARGUMENT…
# DTRAIN_MPIRUN names the launcher where the mpirun of PATH is another MPI's.
# shellcheck disable=SC2034  # variables for whoever sources this

# prepare_ranks: $mpirun, $launcher (openmpi, mpich or other: its family), and the environment ranks are started in. What
# the caller has set stays. One MPI's variables mean nothing to the others. "hosts": they are a scheduler's to choose, and
# there may be several; else all ranks are on this machine.
prepare_ranks() {
    mpirun=${DTRAIN_MPIRUN:-mpirun}
    command -v "$mpirun" >/dev/null ||
        { echo "dtrain: no $mpirun in PATH; load the MPI dtrain was built with, or name its launcher in DTRAIN_MPIRUN" >&2 && return 2; }
    case $("$mpirun" --version 2>&1) in
        *'Open MPI'* | *OpenRTE* | *PRRTE*) launcher=openmpi ;;
        *HYDRA*) launcher=mpich ;;
        *) launcher=other ;;
    esac
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
    # As root too, and more ranks than cores: Open MPI 4, then 5.
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
    [[ ${1-} == hosts ]] || export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
    # process_vm_readv is forbidden in many containers.
    export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_smsc=${OMPI_MCA_smsc-^cma,xpmem,knem}
    # One machine: shared memory, and no look at its networks.
    [[ ${1-} == hosts ]] || export OMPI_MCA_btl=${OMPI_MCA_btl:-self,vader} OMPI_MCA_pml=${OMPI_MCA_pml:-ob1}
    # One rank has failed: the others cannot go on, do not wait.
    export OMPI_MCA_odls_base_sigkill_timeout=0 PRTE_MCA_odls_base_sigkill_timeout=0
}

# start_of RANKS BINDING: $start, the beginning of a command that starts so many ("": as many as a scheduler says). BINDING:
# none or core
start_of() {
    start=("$mpirun")
    [[ ! $1 ]] || start+=(-n "$1")
    case $launcher-$2 in
        # Overload is allowed, for where the kernel tells another number of cores than the library mpirun asks.
        openmpi-core) start+=(--bind-to core:overload-allowed) ;;
        openmpi-none) start+=(--bind-to none) ;;
        mpich-core) start+=(-bind-to core) ;;
        *) ;; # nothing is bound unless one asks
    esac
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    (($# >= 2)) || { sed -n '2,6s/^# \?//p' "$0" >&2 && exit 2; }
    prepare_ranks "" || exit
    start_of "$1" none
    exec "${start[@]}" "${@:2}"
fi
