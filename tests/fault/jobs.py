"""Jobs for the kill harness: started on one host or on several made of one (UTS namespaces), interrupted, waited for."""

import os
import re
import signal
import subprocess
import time

BOUND = 180  # seconds any one start may take
ENVIRONMENT = dict(
    os.environ,
    OMPI_ALLOW_RUN_AS_ROOT="1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
    OMPI_MCA_rmaps_base_oversubscribe="1",
    OMPI_MCA_btl_vader_single_copy_mechanism="none",
    OMPI_MCA_pml="ob1",
    OMPI_MCA_btl="self,vader,tcp",
    OMPI_MCA_btl_tcp_if_include="lo",
    OMPI_MCA_oob_tcp_if_include="lo",
    OMPI_MCA_mpi_yield_when_idle="1",  # hosts that are one machine do not know how many ranks share its cores
    OMP_NUM_THREADS="1",
)
AGENT = """#!/usr/bin/env bash
host=$1
shift
exec unshare --uts bash -c 'hostname "$0" && exec bash -c "$*"' "$host" "$@"
"""


class Failure(Exception):
    pass


hung_launchers = 0


def several_hosts_work():
    version = subprocess.run([os.environ.get("DTRAIN_MPIRUN", "mpirun"), "--version"], capture_output=True, text=True).stdout
    return re.search(r"\((Open MPI|OpenRTE)\) 4\.", version) is not None and subprocess.run(["unshare", "--uts", "hostname", "dtrain-host-test"], capture_output=True).returncode == 0


def read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def state(pid):
    """One letter; "" for a process that is gone."""
    stat = read(pid, "stat")
    return stat.rsplit(")", 1)[1].split()[0] if ")" in stat else ""


def parent(pid):
    stat = read(pid, "stat")
    return int(stat.rsplit(")", 1)[1].split()[1]) if ")" in stat else 0


def host(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/uts")
    except OSError:
        return ""


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Job:
    """A start of the program: `places` are the ranks of each host; one host is the machine as it is."""

    count = 0

    def __init__(self, options, folder, places, arguments, environment=None):
        Job.count += 1
        self.program = os.path.realpath(options.program)
        self.mark = f"DTRAIN_JOB={os.getpid()}.{Job.count}"
        everything = dict(ENVIRONMENT, OMPI_MCA_orte_tmpdir_base=folder, DTRAIN_JOB=self.mark.split("=")[1])
        everything.update(OMPI_MCA_btl_vader_backing_directory=options.shared, OMPI_MCA_osc_sm_backing_directory=options.shared)
        everything.update(environment or {})
        command = [os.environ.get("DTRAIN_MPIRUN", "mpirun"), "--bind-to", "none", "-n", str(sum(places))]
        if len(places) > 1:
            agent = os.path.join(folder, "agent")
            if not os.path.exists(agent):
                with open(agent, "w") as file:
                    file.write(AGENT)
                os.chmod(agent, 0o755)
            everything["OMPI_MCA_plm_rsh_agent"] = agent
            hosts = ",".join(f"host{chr(65 + i)}:{ranks}" for i, ranks in enumerate(places))
            command += ["--leave-session-attached", "--host", hosts]
            command = ["unshare", "--uts", "bash", "-c", 'hostname hostA && exec "$@"', "bash"] + command
        self.process = subprocess.Popen(
            command + [options.program] + arguments,
            env=everything,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def everyone(self):
        """Launcher, daemons, ranks."""
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [pid for pid in pids if self.mark in read(pid, "environ").split("\0")]

    def ranks(self):
        def is_program(pid):
            try:
                return os.readlink(f"/proc/{pid}/exe") == self.program
            except OSError:
                return False

        return [pid for pid in self.everyone() if is_program(pid) and not is_program(parent(pid))]

    def finish(self):
        """Output, errors and exit code of a job that must end by itself."""
        global hung_launchers
        try:
            output, errors = self.process.communicate(timeout=BOUND)
            return output, errors, self.process.returncode
        except subprocess.TimeoutExpired:
            pass
        moving = [pid for pid in self.ranks() if state(pid) not in "TtZX"]
        left = "\n".join(f"{pid} {state(pid)} {read(pid, 'wchan')} {read(pid, 'cmdline')[:120]}" for pid in self.everyone())
        send(self.everyone(), signal.SIGKILL)
        output, errors = self.process.communicate()
        if moving:
            raise Failure(f"no end within {BOUND} s of what followed; left:\n{left}\n{errors}")
        hung_launchers += 1  # every rank has ended, or is the one that was stopped: it is mpirun 4.1.4 that hangs
        return output, errors, -signal.SIGKILL

    def wait_for_orphans(self):
        """What a killed launcher left ends by itself; a stopped process has nobody left to end it."""
        limit = time.monotonic() + BOUND
        while time.monotonic() < limit:
            alive = [pid for pid in self.everyone() if state(pid) not in ("", "Z", "X")]
            if not alive:
                return
            send([pid for pid in alive if state(pid) in "Tt"], signal.SIGKILL)
            time.sleep(0.05)
        raise Failure(f"processes {self.everyone()} did not end")

    def suspend(self, seconds):
        """The job as a whole, as a scheduler or a closed lid does it."""
        everyone = self.everyone()
        send(everyone, signal.SIGSTOP)
        time.sleep(seconds)
        send(everyone, signal.SIGCONT)

    def interrupt(self, what, dice):
        """Does something bad to the job; False when there was nobody to do it to."""
        ranks = self.ranks()
        hosts = sorted({host(pid) for pid in ranks} - {""})
        launcher = [self.process.pid] if self.process.poll() is None else []
        victims = {
            "kill rank": lambda: [dice.choice(ranks)],
            "stop rank": lambda: [dice.choice(ranks)] if len(ranks) > 1 else [],  # one alone is suspended, not stuck
            "usr1 rank": lambda: [dice.choice(ranks)],
            "kill host": lambda: self.on(dice.choice(hosts)),
            "silence host": lambda: self.on(dice.choice([name for name in hosts if name != host(self.process.pid)])),
            "kill launcher": lambda: launcher,
            "term launcher": lambda: launcher,
            "usr1 launcher": lambda: launcher,
        }
        number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "silence": signal.SIGSTOP, "term": signal.SIGTERM, "usr1": signal.SIGUSR1}
        try:
            pids = victims[what]()
        except IndexError:  # no such ranks, no other host
            return False
        send(pids, number[what.split()[0]])
        return bool(pids)

    def on(self, name):
        return [pid for pid in self.everyone() if host(pid) == name]
