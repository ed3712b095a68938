#!/usr/bin/env bash
# Files of src/ hold one idea: none is longer than 500 lines, and none uses functions of a file that uses its own, by
# whatever way round; so each can be read with only what it stands on. Those that do have a reason, here.
. "$(dirname "$0")/../support/lib.sh"

# check_files TREE: prints what is too long or goes round, and exceptions that are none any more
check_files() {
    /usr/bin/python3 - "$1" <<'END'
import pathlib, re, sys

LINES = 500
long = {}  # file: why it is one idea nevertheless
circles = {}  # its files, in alphabetical order: why they need each other

top = pathlib.Path(sys.argv[1]) / "src"
sources = {path.relative_to(top).as_posix(): path.read_text(encoding="utf-8") for path in sorted(top.rglob("*.[ch]"))}


def code(text):
    """Without comments, texts and lines of the preprocessor."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"^\s*#.*?(?<!\\)$", "", text, flags=re.S | re.M)


codes = {name: code(text) for name, text in sources.items() if name.endswith(".c")}
definition = re.compile(r"^(?!static\b|typedef\b|extern\b|return\b)[A-Za-z_][\w *]*?\b(dt_\w+)\s*\([^;{}]*\)\s*\{", re.M)
homes = {}  # of each function: twice the same name, for float and double, is in one file
for name, text in codes.items():
    for found in definition.finditer(text):
        homes.setdefault(found[1], name)
uses = {name: {} for name in codes}  # file: {file: a function of it that is used}
for name, text in codes.items():
    for function in sorted(set(re.findall(r"\bdt_\w+\b", text))):
        home = homes.get(function)
        if home and home != name:
            uses[name].setdefault(home, function)


def rounds():
    """Sets of files of which each uses, by some way, each (Tarjan 1972)."""
    number, lowest, stack, found = {}, {}, [], []

    def visit(name):
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for other in uses[name]:
            if other not in number:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == number[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                found.append(tuple(sorted(stack[at:])))
            del stack[at:]

    for name in uses:
        if name not in number:
            visit(name)
    return found


if len(homes) < 100:
    print("no functions found: wrong tree?")
for name, text in sources.items():
    lines = text.count("\n")
    if lines > LINES and name not in long:
        print(f"src/{name}: {lines} lines; more than {LINES} need a reason in tests/system/circles.sh")
for name in long:
    if name not in sources or sources[name].count("\n") <= LINES:
        print(f"src/{name} is not long, and needs no reason")
found = rounds()
for circle in found:
    if circle not in circles:
        ways = [f"{a} uses {function} of {b}" for a in circle for b, function in uses[a].items() if b in circle]
        print(f"src/{circle[0]} goes round: " + "; ".join(ways))
for circle in circles:
    if circle not in found:
        print(f"{', '.join(circle)} are no circle, and need no reason")
END
}

found=$(check_files "$source")
if [[ $found ]]; then fail "files:"$'\n'"$found"; else pass "no file is long, and none goes round, but for reasons"; fi

# The check itself: what is put into a copy must be found.
cp -r "$source/src" .
noticed() { # noticed REGEX WHAT
    check_files . >noticed
    if grep -qE "$1" noticed; then pass "$2 is noticed"; else fail "$2 is not noticed"; fi
}
echo 'int dt_status_is(void) { return dt_comm_rank(0); }' >>src/base/status.c
noticed '^src/base/.* goes round: .*base/status.c uses dt_comm_rank of comm/comm.c' "a circle"
cp "$source/src/base/status.c" src/base/status.c
{ echo '/* dt_comm_rank() */'; echo 'static const char *const says = "dt_comm_rank()";'; } >>src/base/status.c
if [[ $(check_files .) == "$found" ]]; then pass "a name in a comment or a text is none"; else fail "a name in a comment is taken for a use"; fi
for ((i = 0; i < 501; i++)); do echo "int line_$i;"; done >src/base/lines.c
noticed '^src/base/lines.c: 501 lines' "a long file"
finish
