# What launchers say of themselves, beside what the ranks say: taken out of standard error. Kept are the lines that name a
# rank and a signal; the rest only repeats that dtrain failed, or is of use to nobody.
/^-\{60,\}$/d
/^$/d

# Open MPI: mpirun of 4, prterun of 5, which breaks its lines where 4 does not
/^\(mpirun\|prterun\)[^ ]*: Forwarding signal/d
/^\(mpirun\|prterun\)[^ ]*: abort is already in progress/d
/^Primary job  terminated normally, but/,/^a non-zero exit code\./d
/^MPI_ABORT was invoked/,/^exactly when Open MPI kills/d
/^\(mpirun\|prterun\)[^ ]* detected that one or more processes exited/,/^ *Exit code:/d
/^prterun[^ ]* noticed that process .* exited on$/{N;s/\n/ /}
/^\[.*\(orte\|prte\)_base_help_aggregate/d
/^\[.*sent help message/d

# libevent, when the pipe of a rank that ended is taken away: [warn] Epoll MOD(1) on fd 33 failed. …
/^\[\(warn\|msg\)\] /d

# MPICH: mpiexec.hydra
/^Abort([0-9]*) on node [0-9]* (rank [0-9]* in comm [0-9]*): application called MPI_Abort/d
/^=\{60,\}$/d
/^=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES/d
/^=   \(PID [0-9]* RUNNING AT\|EXIT CODE:\|CLEANING UP REMAINING\|YOU CAN IGNORE THE BELOW\)/d
/^=   *$/d
/^This typically refers to a problem with your application/d
/^Please see the FAQ page for debugging suggestions/d
s/^YOUR APPLICATION TERMINATED WITH THE EXIT STRING: /mpiexec: a rank ended: /
