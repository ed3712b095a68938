"""Kills real runs at random moments, resumes them on other rank counts until they are done, and compares the digest with that of the run
nobody touched. Every choice follows from --seed.

What must hold: equal digests; the newest checkpoint never gets older; every exit within its bound; `dtrain verify` finds no bad file.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ENVIRONMENT = dict(
    os.environ,
    OMPI_ALLOW_RUN_AS_ROOT="1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
    OMPI_MCA_rmaps_base_oversubscribe="1",
    OMPI_MCA_btl_vader_single_copy_mechanism="none",
    OMP_NUM_THREADS="1",
)
TIMEOUT = 4  # seconds of train.timeout while ranks are being stopped: they must be noticed by then
PATIENCE = 60  # the same for starts that nothing happens to, on a machine busy with other things
BOUND = 180  # seconds any one start may take

IMAGES = [
    "model.layers=[flatten, {dense: {out: 64, activation: relu}}, {dropout: 0.3}, {dense: 10}] optimizer.kind=adamw"
    " optimizer.weight_decay=0.01 train.batch=61 schedule.kind=cosine schedule.warmup=100",
    "train.batch=64 optimizer.kind=sgd optimizer.lr=0.05 optimizer.momentum=0.9 optimizer.clip_norm=1",
    "model.layers=[flatten, {dense: {out: 32, activation: gelu}}, {dense: 10}] train.batch=100 optimizer.kind=rmsprop"
    " schedule.kind=step schedule.period=200 schedule.factor=0.5",
    "train.batch=47 optimizer.kind=adagrad optimizer.lr=0.02 optimizer.l2=0.0001 train.micro_batch=3",
]
TEXTS = [
    "model.layers=[gpt: {layers: 2, heads: 2, width: 32, dropout: 0.1}] optimizer.clip_norm=1 train.batch=12",
    "model.layers=[lstm: {units: 24, layers: 2, dropout: 0.1}, dense: 256] data.windows=stream train.batch=13 schedule.kind=cosine",
    "model.layers=[bert: {layers: 1, heads: 2, width: 32}] data.objective=masked train.batch=16 optimizer.kind=adamw"
    " optimizer.weight_decay=0.1",
]
# What is trained on: what all runs set, and how they differ.
FAMILIES = {
    "images": (["data.train_x=/test/x", "data.train_y=/test/y", "train.epochs=6"], IMAGES),
    "text": (["data.context=16", "data.mean=0", "data.std=1", "train.steps=900"], TEXTS),
}


class Failure(Exception):
    pass


def sets(recipe):
    parts = re.split(r" (?=[a-z_]+\.[a-z0-9_]+=)", recipe)
    return [word for part in parts for word in ("--set", part)]


def command(options, ranks, shards, run, recipe, extra=()):
    return (
        ["mpirun", "-n", str(ranks), options.program, "train", options.recipe, "--run", run]
        + ["--set", f"data.file={options.data}", "--set", f"train.shards={shards}"]
        + ["--set", "train.log_every=50", "--set", f"train.timeout={PATIENCE}"]
        + [word for field in FAMILIES[options.family][0] for word in ("--set", field)]
        + sets(recipe)
        + list(extra)
    )


def digest_of(output, word):
    found = re.findall(rf"^{word} .*digest=([0-9a-f]+)$", output, re.M)
    return found[-1] if found else None


hung_launchers = 0


def runs(pid):
    """Neither stopped nor dead."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "TtZX"
    except OSError:
        return False


def finish(process, options):
    """Output and exit code of a start that must end by itself."""
    try:
        output, errors = process.communicate(timeout=BOUND)
    except subprocess.TimeoutExpired:
        if not any(runs(pid) for pid in ranks_of(process, options.program)):
            # Every rank has ended, or is the one that was stopped: it is mpirun 4.1.4 that hangs.
            global hung_launchers
            hung_launchers += 1
            os.killpg(process.pid, signal.SIGKILL)
            return *process.communicate(), -9
        left = subprocess.run(["ps", "-eo", "pid,ppid,stat,wchan:20,args"], capture_output=True, text=True).stdout
        left = "\n".join(line[:160] for line in left.splitlines() if "dtrain" in line and "kill.py" not in line)
        os.killpg(process.pid, signal.SIGKILL)
        raise Failure(f"no end within {BOUND} s of what followed; left:\n{left}")
    return output, errors, process.returncode


def start(arguments, environment=ENVIRONMENT):
    return subprocess.Popen(
        arguments,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ranks_of(process, program):
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as stat:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
            if parent == process.pid and os.path.realpath(f"/proc/{name}/exe") == os.path.realpath(program):
                found.append(int(name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def interrupt(process, options, dice):
    """Does something bad to a running job; returns what."""
    ranks = ranks_of(process, options.program)
    what = dice.choice(["kill rank", "kill rank", "kill mpirun", "stop rank", "term mpirun", "usr1 mpirun", "usr1 rank"])
    if what == "stop rank" and len(ranks) < 2:
        what = "kill rank"  # a job stopped as a whole is suspended, not stuck
    try:
        if what == "kill mpirun":
            os.kill(process.pid, signal.SIGKILL)
        elif what == "term mpirun":
            os.kill(process.pid, signal.SIGTERM)
        elif what == "usr1 mpirun":
            os.kill(process.pid, signal.SIGUSR1)
        elif ranks:
            number = {"kill rank": signal.SIGKILL, "stop rank": signal.SIGSTOP, "usr1 rank": signal.SIGUSR1}[what]
            os.kill(dice.choice(ranks), number)
        else:
            what = "nothing"
    except ProcessLookupError:
        what = "nothing"
    return what, ranks


def wait_for_end(ranks):
    """Orphans of a killed mpirun end by themselves; a stopped one has nobody left to end it."""
    limit = time.monotonic() + BOUND
    while time.monotonic() < limit:
        alive = []
        for pid in ranks:
            try:
                with open(f"/proc/{pid}/stat") as stat:
                    state = stat.read().rsplit(")", 1)[1].split()[0]
                if state == "T":
                    os.kill(pid, signal.SIGKILL)
                if state != "Z":
                    alive.append(pid)
            except (OSError, IndexError):
                continue
        if not alive:
            return
        time.sleep(0.05)
    raise Failure(f"ranks {ranks} did not end")


def newest_step(run):
    try:
        names = os.listdir(os.path.join(run, "checkpoints"))
    except FileNotFoundError:
        return -1
    return max((int(m.group(1)) for m in (re.match(r"step-(\d+)\.h5$", n) for n in names) if m), default=-1)


def check_run(options, run):
    if newest_step(run) < 0:
        return
    verify = subprocess.run([options.program, "verify", run], capture_output=True, text=True, timeout=BOUND)
    if verify.returncode:
        raise Failure(f"verify: {verify.stderr.strip()}")


def one_run(options, dice, reference, folder):
    recipes = FAMILIES[options.family][1]
    recipe = dice.randrange(len(recipes))
    shards = dice.choice([2, 3, 4, 8])
    every = dice.choice(["100 steps", "37 steps", "0.3 s", "1 epoch"])
    if (recipe, shards) not in reference:
        ranks = dice.randint(1, min(shards, 3))
        output, errors, code = finish(start(command(options, ranks, shards, f"{folder}/whole-{recipe}-{shards}", recipes[recipe])), options)
        if code:
            raise Failure(f"the uninterrupted run failed: {errors}")
        reference[recipe, shards] = digest_of(output, "done")
    run = f"{folder}/run"
    shutil.rmtree(run, ignore_errors=True)
    story, newest = [], -1
    for attempt in range(40):
        ranks = dice.randint(1, shards)
        disturbed = attempt < 6
        extra = ["--set", f"checkpoint.every={every}"] + (["--set", f"train.timeout={TIMEOUT}"] if disturbed else [])
        environment = dict(ENVIRONMENT, DTRAIN_LAUNCH_TIMEOUT=str(2 * TIMEOUT)) if disturbed else ENVIRONMENT
        process = start(command(options, ranks, shards, run, recipes[recipe], extra), environment)
        pids, what = [], "nothing"
        if disturbed:
            time.sleep(dice.uniform(0.15, 1.2))
            what, pids = interrupt(process, options, dice)
        story.append(f"{ranks} ranks, {what}")
        try:
            output, errors, code = finish(process, options)
            wait_for_end(pids)
        except Failure as failure:
            raise Failure("; ".join(story) + f": {failure}") from None
        story[-1] += f", exit {code}"
        if code not in (0, 75) and what == "nothing":
            raise Failure("; ".join(story) + f": {errors}")
        if code % 128 in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE):
            raise Failure("; ".join(story) + f": {errors}")
        if what == "stop rank" and code == 0 and "done " not in output:
            raise Failure("; ".join(story) + ": exit 0 without an end")
        step = newest_step(run)
        if step < newest:
            raise Failure("; ".join(story) + f": the newest checkpoint went from step {newest} to {step}")
        newest = step
        check_run(options, run)
        if code == 0 and digest_of(output, "done"):
            if digest_of(output, "done") != reference[recipe, shards]:
                raise Failure("; ".join(story) + f": digest {digest_of(output, 'done')}, not {reference[recipe, shards]}")
            return len(story) - 1
    raise Failure("; ".join(story) + ": never done")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--recipe", required=True, help="the recipe whose fields the runs change")
    parser.add_argument("--data", required=True)
    parser.add_argument("--family", choices=FAMILIES, default="images", help="what --data is")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--hours", type=float, default=0, help="go on for so long, instead of --runs")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="dtrain-kill-")
    reference, interruptions, failures, count = {}, 0, 0, 0
    end = time.monotonic() + 3600 * options.hours
    try:
        while count < options.runs if not options.hours else time.monotonic() < end:
            dice = random.Random(f"{options.seed}/{count}")
            try:
                interruptions += one_run(options, dice, reference, folder)
            except Failure as failure:
                failures += 1
                print(f"run {count} (--seed {options.seed}): {failure}", flush=True)
                if os.path.isdir(f"{folder}/run"):
                    shutil.copytree(f"{folder}/run", f"{folder}/failed-{count}", dirs_exist_ok=True)
            count += 1
            if count % 10 == 0:
                print(f"{count} runs, {interruptions} interruptions, {failures} failures", flush=True)
        print(f"{count} runs, {interruptions} interruptions, {failures} failures; mpirun itself hung {hung_launchers} times")
    finally:
        if not failures:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if failures or not interruptions else 0  # runs that nothing happened to show nothing


if __name__ == "__main__":
    sys.exit(main())
