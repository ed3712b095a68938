# What Open MPI 4's mpirun says of itself, beside what the ranks say: taken out of standard error. Kept are the lines that
# name a rank and a signal; the rest only repeats that dtrain failed, or is of use to nobody.
/^-\{60,\}$/d
/^$/d
/^mpirun: Forwarding signal/d
/^mpirun: abort is already in progress/d
/^Primary job  terminated normally, but/,/^a non-zero exit code\./d
/^MPI_ABORT was invoked/,/^exactly when Open MPI kills/d
/^mpirun detected that one or more processes exited/,/^ *Exit code:/d
/^\[.*orte_base_help_aggregate/d
/^\[.*sent help message/d
# libevent, when the pipe of a rank that ended is taken away: [warn] Epoll MOD(1) on fd 33 failed. …
/^\[\(warn\|msg\)\] /d
