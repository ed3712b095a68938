"""What compiles the kernels with another compiler as the build did, and then links kernel_bits: a command a line.

usage: kernel_commands.py COMPILER BUILD SOURCE [ISA [FLAG…]]   with ISA only its kernels; flags for all
"""
import json, pathlib, re, shlex, subprocess, sys

compiler, build, source = sys.argv[1:4]
wanted, added = sys.argv[4:5], sys.argv[5:]
known = {}


def takes(flag):
    if flag not in known:
        asked = [compiler, "-Werror", flag, "-c", "-x", "c", "/dev/null", "-o", "/dev/null"]
        known[flag] = subprocess.run(asked, capture_output=True).returncode == 0
    return known[flag]


objects = []
for entry in json.loads(pathlib.Path(build, "compile_commands.json").read_text()):
    isa = re.search(r"src/libkernels_(\w+)\.a\.p/", entry.get("output", ""))
    if not isa or (wanted and isa[1] not in wanted):
        continue
    file = pathlib.Path(build, entry["file"]).resolve()
    flags = [w for w in shlex.split(entry["command"]) if re.match(r"-[DOfm]|-std=", w)]
    flags = [w for w in flags if "sanitize" not in w and "FORTIFY" not in w and (w.startswith("-D") or takes(w))]
    objects.append(f"{isa[1]}-{file.stem}.o")
    print(shlex.join([compiler, *flags, *added, f"-I{source}/src", "-w", "-c", str(file), "-o", objects[-1]]))
if not objects:
    sys.exit("no kernels in compile_commands.json")
rest = [f"{source}/src/{name}.c" for name in ("compute/isa", "compute/tally", "base/status", "base/sum", "base/table", "base/transcendental")]
flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-ffp-contract=off", "-ffunction-sections", "-Wl,--gc-sections", "-w"]
program = f"{source}/tests/support/kernel_bits.c"
print(shlex.join([compiler, *flags, *added, f"-I{source}/src", program, *rest, *objects, "-lm", "-o", "kernel_bits"]))
