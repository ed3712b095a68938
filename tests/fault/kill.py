"""Interrupts real runs at random moments, resumes them on other ranks, teams and hosts until they are done, and compares the digest with
that of the run nobody touched. Every choice follows from --seed.

What must hold: equal digests; the newest checkpoint never gets older; every exit within its bound; `dtrain verify` finds no bad file; a job
that was suspended as a whole goes on; an import that was killed leaves its file whole or not there, and nothing once it is made again.
"""

import argparse
import glob
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import jobs
from jobs import BOUND, Failure, Job

TIMEOUT = 2  # seconds of train.timeout while jobs are interrupted: a stopped rank must be noticed by then
PATIENCE = 60  # the same for starts that nothing happens to, on a machine busy with other things

IMAGES = [
    "model.layers=[flatten, {dense: {out: 64, activation: relu}}, {dropout: 0.3}, {dense: 10}] optimizer.kind=adamw"
    " optimizer.weight_decay=0.01 train.batch=61 schedule.kind=cosine schedule.warmup=100",
    "train.batch=64 optimizer.kind=sgd optimizer.lr=0.05 optimizer.momentum=0.9 optimizer.clip_norm=1",
    "model.layers=[flatten, {dense: {out: 32, activation: gelu}}, {dense: 10}] train.batch=100 optimizer.kind=rmsprop"
    " schedule.kind=step schedule.period=200 schedule.factor=0.5",
    "train.batch=47 optimizer.kind=adagrad optimizer.lr=0.02 optimizer.l2=0.0001 train.micro_batch=3",
    # slices that cross in chunks; the last batch of an epoch, every hundredth, has one row
    "model.layers=[flatten, {dense: {out: 1024, activation: relu}}, {dense: 10}] train.batch=101 train.steps=300",
]
TEXTS = [
    "model.layers=[gpt: {layers: 2, heads: 2, width: 32, dropout: 0.1}] optimizer.clip_norm=1 train.batch=12",
    "model.layers=[lstm: {units: 24, layers: 2, dropout: 0.1}, dense: 256] data.windows=stream train.batch=13 schedule.kind=cosine",
    "model.layers=[bert: {layers: 1, heads: 2, width: 32}] data.objective=masked train.batch=16 optimizer.kind=adamw"
    " optimizer.weight_decay=0.1",
]
# What is trained on: what all runs set, and how they differ.
FAMILIES = {
    "images": (["data.train_x=/test/x", "data.train_y=/test/y", "train.epochs=10"], IMAGES),
    "texts": (["data.context=16", "data.mean=0", "data.std=1", "train.steps=1500"], TEXTS),
}
PATHS = [[], [], ["reduce.path=flat"], ["reduce.node_ranks=1"], ["reduce.node_ranks=2"]]
ONE_HOST = ["kill rank", "kill rank", "kill launcher", "stop rank", "term launcher", "usr1 launcher", "usr1 rank"]
TWO_HOSTS = ONE_HOST + ["kill host", "kill host", "silence host"]


def sets(fields):
    return [word for field in fields for word in ("--set", field)]


def fields_of(recipe):
    return re.split(r" (?=[a-z_]+\.[a-z0-9_]+=)", recipe)


def digest_of(output, word):
    found = re.findall(rf"^{word} .*digest=([0-9a-f]+)$", output, re.M)
    return found[-1] if found else None


def newest_step(run):
    try:
        names = os.listdir(os.path.join(run, "checkpoints"))
    except FileNotFoundError:
        return -1
    return max((int(m.group(1)) for m in (re.match(r"step-(\d+)\.h5$", n) for n in names) if m), default=-1)


def program(options, *arguments):
    return subprocess.run([options.program, *arguments], capture_output=True, text=True, timeout=BOUND)


def check_run(options, run):
    if newest_step(run) < 0:
        return
    verify = program(options, "verify", run)
    if verify.returncode:
        raise Failure(f"verify: {verify.stderr.strip()}")


class Harness:
    def __init__(self, options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="dtrain-kill-")
        # memory that ranks share is a file, and stays when they are killed
        options.shared = tempfile.mkdtemp(prefix="dtrain-kill-", dir=os.environ.get("OMPI_MCA_btl_vader_backing_directory", "/dev/shm"))
        self.spool = os.path.join(self.folder, "spool")
        os.mkdir(self.spool)
        self.families = [name for name in FAMILIES if getattr(options, name)]
        self.packed = {name: self.pack(name) for name in self.families}
        self.hosts = jobs.several_hosts_work()
        self.last_hosts = 0
        self.whole = {}  # digests and seconds of runs nobody touched
        self.count = dict.fromkeys(["interruptions", "suspensions", "imports killed", "on two hosts"], 0)
        if not self.hosts:
            print("left out: several hosts (unshare --uts is not permitted; be root)")
        if not all(self.packed.values()):
            print("left out: chunked data (no h5py)")
        if not options.shim:
            print("left out: kills in unpacking (no --shim)")

    def pack(self, family):
        """The same data, chunked and compressed, so that a run unpacks them."""
        packed = os.path.join(self.folder, f"{family}.h5")
        script = (
            "import h5py, sys\n"
            "with h5py.File(sys.argv[1]) as old, h5py.File(sys.argv[2], 'w') as new:\n"
            "    def copy(name, item):\n"
            "        if not isinstance(item, h5py.Dataset): return\n"
            "        room = dict(chunks=True, compression=1) if item.size > 1000 else {}\n"
            "        made = new.create_dataset(name, data=item[()], **room)\n"
            "        for key, value in item.attrs.items(): made.attrs[key] = value\n"
            "    old.visititems(copy)\n"
        )
        made = subprocess.run(["/usr/bin/python3", "-c", script, getattr(self.options, family), packed], capture_output=True)
        return packed if made.returncode == 0 else None

    def start(self, setting, places, run, extra=(), environment=None):
        recipe, shards, family, data = setting
        fields = [f"data.file={data}", f"data.spool={self.spool}", f"train.shards={shards}", "train.log_every=50"]
        fields += [f"train.timeout={PATIENCE}", *FAMILIES[family][0], *fields_of(FAMILIES[family][1][recipe]), *extra]
        return Job(self.options, self.folder, places, ["train", self.options.recipe, "--run", run, *sets(fields)], environment)

    def untouched(self, setting, dice):
        """Digest and seconds of the run nobody touches."""
        recipe, shards, family, _ = setting
        key = (recipe, shards, family)
        if key not in self.whole:
            plain = (recipe, shards, family, getattr(self.options, family))
            run = f"{self.folder}/whole-{family}-{recipe}-{shards}"
            began = time.monotonic()
            output, errors, code = self.start(plain, [dice.randint(1, min(shards, 3))], run).finish()
            if code:
                raise Failure(f"the uninterrupted run failed: {errors}")
            self.whole[key] = digest_of(output, "done"), time.monotonic() - began
            shutil.rmtree(run)
        return self.whole[key]

    def places(self, shards, dice):
        """The ranks of each host."""
        ranks = min(shards, dice.choice([1, 2, 2, 3, 3, 4, 5]))
        if not self.hosts or ranks == 1 or dice.random() < 0.4:
            return [ranks]
        first = dice.randint(1, ranks - 1)
        return [first, ranks - first]

    def leave_host(self, run):
        """What a user does whose job is gone, when the next one runs elsewhere: nobody there can tell whether it is."""
        try:
            os.unlink(os.path.join(run, "lock"))
        except FileNotFoundError:
            pass

    def attempt(self, setting, run, every, seconds, dice):
        """One start, interrupted within `seconds`, 0: not; what happened to it, its output, errors and exit code."""
        disturbed = seconds > 0
        places, path, what = self.places(setting[1], dice), dice.choice(PATHS), "nothing"
        self.count["on two hosts"] += len(places) > 1
        environment = {"DTRAIN_LAUNCH_TIMEOUT": str(4 * TIMEOUT)} if disturbed else {}
        if disturbed and self.options.shim and setting[3] == self.packed[setting[2]] and dice.random() < 0.4:
            what = "kill unpacking"
            fault = f"rank={dice.choice([0, places[0]])} path={self.spool} call=write nth={dice.randint(1, 2)} do=kill armed=1"
            environment.update(LD_PRELOAD=self.options.shim, DTRAIN_FAULT=fault)
        extra = [f"checkpoint.every={every}", *path] + ([f"train.timeout={TIMEOUT}"] if disturbed else [])
        if len(places) != self.last_hosts:
            self.leave_host(run)
        self.last_hosts = len(places)
        job = self.start(setting, places, run, extra, environment)
        story = f"{'+'.join(map(str, places))} ranks {' '.join(path)}"
        if disturbed and what == "nothing":
            time.sleep(dice.uniform(0.1, 0.8 * seconds))
            if dice.random() < 0.3 and job.process.poll() is None:
                story += ", suspended"
                self.count["suspensions"] += 1
                job.suspend(dice.uniform(0.5, 2 * TIMEOUT))
                time.sleep(dice.uniform(0.2, 1.5))
                if job.process.poll() not in (None, 0):
                    raise Failure(f"{story}: it did not go on: {job.finish()[1]}")
            what = dice.choice(TWO_HOSTS if len(places) > 1 else ONE_HOST)
            what = what if job.interrupt(what, dice) else "nothing"
        try:
            output, errors, code = job.finish()
            job.wait_for_orphans()
        except Failure as failure:
            raise Failure(f"{story}, {what}: {failure}") from None
        if what == "kill unpacking" and code == 0:
            what = "nothing"  # it had been unpacked before so many writes
        self.count["interruptions"] += what != "nothing"
        return f"{story}, {what}, exit {code}", what, output, errors, code

    def check_end(self, what, output, errors, code):
        if code not in (0, 75) and what == "nothing":
            raise Failure(errors)
        if code > 0 and code % 128 in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE):
            raise Failure(errors)
        if what in ("stop rank", "silence host") and code == 0 and "done " not in output:
            raise Failure("exit 0 without an end")

    def one_run(self, dice):
        family = dice.choice(self.families)
        plain, packed = getattr(self.options, family), self.packed[family]
        data = packed if packed and dice.random() < 0.4 else plain
        setting = (dice.randrange(len(FAMILIES[family][1])), dice.choice([2, 3, 4, 4, 8]), family, data)
        every = dice.choice(["100 steps", "37 steps", "0.3 s", "1 epoch"])
        wanted, seconds = self.untouched(setting, dice)
        run = f"{self.folder}/run"
        shutil.rmtree(run, ignore_errors=True)
        stories, newest = [f"{family} {setting[0]}, {setting[1]} shards{', packed' if data == packed else ''}"], -1
        try:
            for start in range(40):
                story, *end = self.attempt(setting, run, every, seconds if start < self.options.attempts else 0, dice)
                stories.append(story)
                self.check_end(*end)
                step = newest_step(run)
                if step < newest:
                    raise Failure(f"the newest checkpoint went from step {newest} to {step}")
                newest = step
                check_run(self.options, run)
                found = digest_of(end[1], "done")
                if end[3] == 0 and found:
                    if found != wanted:
                        raise Failure(f"digest {found}, not {wanted}")
                    if self.options.verbose:
                        print("; ".join(stories), flush=True)
                    return
            raise Failure("never done")
        except Failure as failure:
            raise Failure("; ".join(stories) + f": {failure}") from None
        finally:
            shutil.rmtree(self.spool)
            os.mkdir(self.spool)

    def same_data(self, file, good):
        """Both have the same datasets."""
        script = (
            "import h5py, sys\n"
            "def datasets(path):\n"
            "    found = {}\n"
            "    with h5py.File(path) as file:\n"
            "        file.visititems(lambda name, item: found.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None)\n"
            "    return found\n"
            "sys.exit(datasets(sys.argv[1]) != datasets(sys.argv[2]))\n"
        )
        return subprocess.run(["/usr/bin/python3", "-c", script, file, good], capture_output=True).returncode == 0

    def killed_imports(self, dice):
        """Imports that are killed leave the file whole or not there; one that ends leaves the file and nothing else."""
        if not self.options.idx or not self.packed[self.families[0]]:
            return
        names = ("train-images", "train-labels", "t10k-images", "t10k-labels")
        sources = [name for prefix in names for name in glob.glob(os.path.join(self.options.idx, f"{prefix}*"))[:1]]
        if len(sources) < len(names):
            raise SystemExit(f"kill.py: --idx {self.options.idx}: not all of {', '.join(names)} are there")
        place, good = os.path.join(self.folder, "imported"), os.path.join(self.folder, "good.h5")
        shutil.rmtree(place, ignore_errors=True)
        os.mkdir(place)
        target, began = os.path.join(place, "data.h5"), time.monotonic()
        if program(self.options, "import", "idx", *sources, good).returncode:
            raise Failure("import failed")
        seconds = time.monotonic() - began
        for _ in range(3):
            process = subprocess.Popen([self.options.program, "import", "idx", *sources, target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(dice.uniform(0, 1.1 * seconds))
            process.kill()
            process.wait()
            self.count["imports killed"] += 1
            if os.path.exists(target) and not self.same_data(target, good):
                raise Failure("a killed import left a file that is not whole")
        if program(self.options, "import", "idx", *sources, target).returncode or not self.same_data(target, good):
            raise Failure("the import after killed ones is not the same")
        if os.listdir(place) != ["data.h5"]:
            raise Failure(f"killed imports left {os.listdir(place)}")


def say_counts(harness, runs, failures):
    counts = ", ".join(f"{number} {name}" for name, number in harness.count.items())
    print(f"{runs} runs, {counts}, {failures} failures; mpirun itself hung {jobs.hung_launchers} times", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--recipe", required=True, help="the recipe whose fields the runs change")
    parser.add_argument("--images", help="a file with /test/x and /test/y, pictures and classes")
    parser.add_argument("--texts", help="a file that `dtrain import text --tokens byte` made")
    parser.add_argument("--idx", help="the directory of Fashion-MNIST's IDX files: imports are killed too")
    parser.add_argument("--shim", help="faultshim.so of the tests: runs are killed while they unpack, too")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--attempts", type=int, default=6, help="starts of a run that are interrupted")
    parser.add_argument("--hours", type=float, default=0, help="go on for so long, instead of --runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="what was done to each run")
    options = parser.parse_args()
    if not options.images and not options.texts:
        parser.error("give --images, --texts or both")
    harness = Harness(options)
    failures, runs = 0, 0
    end = time.monotonic() + 3600 * options.hours
    while runs < options.runs if not options.hours else time.monotonic() < end:
        dice = random.Random(f"{options.seed}/{runs}")
        try:
            if runs % 4 == 0:
                harness.killed_imports(dice)
            harness.one_run(dice)
        except Failure as failure:
            failures += 1
            print(f"run {runs} (--seed {options.seed}): {failure}", flush=True)
            if os.path.isdir(f"{harness.folder}/run"):
                shutil.copytree(f"{harness.folder}/run", f"{harness.folder}/failed-{runs}", dirs_exist_ok=True)
        runs += 1
        if runs % 10 == 0:
            say_counts(harness, runs, failures)
    if runs % 10 != 0:
        say_counts(harness, runs, failures)
    shutil.rmtree(options.shared, ignore_errors=True)
    if not failures:
        shutil.rmtree(harness.folder, ignore_errors=True)
    return 1 if failures or not harness.count["interruptions"] else 0  # runs that nothing happened to show nothing


if __name__ == "__main__":
    sys.exit(main())
