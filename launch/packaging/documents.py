#!/usr/bin/env python3
"""Manual pages and completion of the shell, made from what the program says of itself.

usage: documents.py PROGRAM dtrain.1|dtrain-recipe.5|dtrain.bash

The texts of --help and --help-recipe come from the tables of commands and fields, so there is nothing here to be kept in
step with them: this file knows how such a text is laid out, and no option or field by name.
"""
import re
import subprocess
import sys

INDENT = re.compile(" *")
SETTING = re.compile(r"[a-z]+\.[a-z]+  ")  # a field that is a tree, and what it is


class Program:
    def __init__(self, path):
        self.path = path
        self.version = self.say("--version").split()[1]
        self.help = self.say("--help")
        rows = re.findall(r"^  ([a-z]+(?: [a-z]+)?) +(\S.*)$", self.help.split("\n\n")[2], re.M)
        self.commands = {name: (summary, self.say(*name.split(), "--help")) for name, summary in rows}
        self.recipe = self.say("train", "--help-recipe")

    def say(self, *arguments):
        done = subprocess.run([self.path, *arguments], check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        return done.stdout.decode()


def indent(line):
    return INDENT.match(line).end()


# ---- roff ----


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq").replace("^", "\\(ha")
    return re.sub(r"^\.", r"\\&.", text.replace("~", "\\(ti"))


def verbatim(lines):
    return [".PP", ".RS 2", ".EX", *(roff(line) for line in lines), ".EE", ".RE"]


def body_of(lines, at):
    """Lines behind `at` that are further in than it, with the blank ones between them; and where they end."""
    end = at + 1
    while end < len(lines) and lines[end].strip() and indent(lines[end]) > indent(lines[at]):
        end += 1
    return lines[at + 1 : end], end


def column_of(lines):
    """Where the texts of options begin, by those that have room before it; 0: there are none."""
    gaps = [re.match(r"( *-\S(?:\S| (?! ))*  +)\S", line) for line in lines]
    return max((gap.end(1) for gap in gaps if gap), default=0)


def field(line):
    """A row of a table of fields: key, type, default and meaning."""
    cells = re.split(r"  +", line.strip(), maxsplit=3)
    fits = len(cells) == 4 and re.match(r"(true/false|number|whole|text|choice|span|size|dataset|list)", cells[1])
    return cells if fits else None


def item(line, column):
    """A line that is a tag and its text, as (tag, text); None: it is neither."""
    if line.lstrip().startswith("-") and 0 < column < len(line) and line[column - 1] == " " and line[column] != " ":
        return line[:column].strip(), line[column:]
    cells = re.split(r"   *", line.strip(), maxsplit=1)
    if len(cells) == 2:
        return tuple(cells)
    return (line.strip(), "") if re.fullmatch(r"--?[a-z][a-z-]*( [A-Z]+)?", line.strip()) else None


def heading(lines, at):
    """A kind of layer, with the fields of such a layer below it."""
    found = re.match(r"([a-z0-9_]+): (.*)", lines[at])
    below = lines[at + 1] if at + 1 < len(lines) else ""
    return found if found and below.startswith("  %s." % found[1]) else None


def tagged(tag, text, rest):
    inner = convert(rest, False)
    prose = 0  # goes on with the text; what follows it stands beside the tag's text, further in
    while inner and prose < len(inner) and (prose == 0 and inner[0] == ".PP" or not inner[prose].startswith(".")):
        prose += 1
    further = [".RS", *inner[prose:], ".RE"] if inner[prose:] else []
    return [".TP", "\\fB%s\\fR" % roff(tag), *([roff(text)] if text else []), *inner[:prose][inner[:1] == [".PP"] :], *further]


def convert(lines, outermost=True):
    """A help text as roff: what is not indented is prose, what is has a tag, is a field, or stands as it is."""
    out, at, column = [], 0, column_of(lines)
    base = min((indent(line) for line in lines if line.strip()), default=0)
    prose = False
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            prose = False
            at += 1
        elif base == 0 and heading(lines, at):
            kind = heading(lines, at)
            out += [".SS " + kind[1], roff(kind[2])]
            prose = True
            at += 1
        elif indent(line) == base and not field(line) and not SETTING.match(line) and not (base and (outermost or item(line, column))):
            out += ([] if prose else [".PP"]) + [roff(line.strip())]
            prose = True
            at += 1
        else:
            prose = False
            rest, end = body_of(lines, at)
            found, row = item(line, column), field(line)
            if row:
                key, kind, default, meaning = row
                known = "required" if default == "(required)" else "default: " + (default if default != '""' else "none")
                out += tagged(key, "%s (%s; %s)" % (meaning, kind, known), rest)
            elif found:
                out += tagged(*found, rest)
            elif rest:  # a line over others that explain it
                out += tagged(line.strip(), "", rest) if indent(line) == 2 and outermost else verbatim([line.strip(), *rest])
            else:
                block = [line.strip()]
                while end < len(lines) and indent(lines[end]) == indent(line) and lines[end].strip() and not item(lines[end], column):
                    block.append(lines[end].strip())
                    end += 1
                out += verbatim(block)
            at = end
    return out


def synopsis(text):
    lines = text.split("\n\n")[0].splitlines()
    return [re.sub(r"^usage: ", "", line).replace(" " * len("usage: "), "", 1) for line in lines]


def page(name, section, program, what):
    return ['.TH %s %s "" "dtrain %s" "dtrain"' % (name.upper(), section, program.version), ".nh", ".ad l", ".SH NAME",
            "%s \\- %s" % (name, roff(what))]


def program_page(program):
    head, _, listed, *rest = program.help.split("\n\n")
    what = re.sub(r"^dtrain \S+: ", "", head)
    out = page("dtrain", 1, program, what) + [".SH SYNOPSIS", ".nf"]
    out += [roff(line) for line in synopsis(program.help.split("\n\n", 1)[1])] + [".fi", ".SH DESCRIPTION"]
    for part in rest:
        out += convert(part.splitlines())
    out += [".SH COMMANDS"]
    for name, (summary, text) in program.commands.items():
        out += [".SS dtrain " + name, roff(summary[0].upper() + summary[1:] + "."), ".PP", ".nf",
                *(roff(line) for line in synopsis(text)), ".fi", *convert(text.split("\n\n", 1)[1].splitlines())]
    out += [".SH SEE ALSO", ".BR dtrain\\-recipe (5),", ".BR mpirun (1)"]
    return out


def recipe_page(program):
    out = page("dtrain-recipe", 5, program, "the file that defines a run of dtrain")
    out += [".SH DESCRIPTION", "A recipe is a YAML file. A field that is written", ".B group.name",
            "here stands under its group, or is changed by", ".BR \"\\-\\-set group.name=VALUE\" .",
            "A field whose default is none may be left out. What is in the place of a number, a text or a choice is refused by",
            "name, value and line.", ".SH FIELDS", *convert(program.recipe.splitlines()), ".SH SEE ALSO", ".BR dtrain (1)"]
    return out


# ---- completion ----


def options_of(text):
    """Options where the synopsis or a line of its own has them, not those that prose mentions, nor mpirun's."""
    usage = text.split("\n\n")[0].replace("mpirun -n", "mpirun")
    own = re.findall(r"^ +(--?[a-z][a-z0-9-]*)(?= |$)", text, re.M)
    return sorted(set(re.findall(r"[\[ ](--?[a-z][a-z0-9-]*)", usage) + own))


def values_of(text):
    """Options whose values are words: as `--split test|all`, or a line for each, or a choice of a table of fields."""
    values = {}
    for option, words in re.findall(r"(--[a-z-]+) ([a-z0-9]+(?:\|[a-zA-Z0-9]+)+)", text):
        values.setdefault(option, set()).update(word for word in words.split("|") if not word.isupper())
    for option, word in re.findall(r"^ +(--[a-z-]+) ([a-z][a-z0-9]*)  ", text, re.M):
        values.setdefault(option, set()).add(word)
    for line in text.splitlines():
        row = field(line)
        if row and row[1] == "choice" and row[0].startswith("--"):
            words = re.split(r", | or ", row[3].rsplit(": ", 1)[1])
            values.setdefault(row[0], set()).update(words)
    for option, heading in re.findall(r"(--[a-z]+) ([A-Z]+) ", text.split("\n\n")[0]):
        listed = re.search(r"^%ss:\n((?:  .*\n)+)" % heading.lower(), text, re.M)
        if listed:
            values.setdefault(option, set()).update(re.findall(r"^  ([a-z0-9]+) ", listed[1], re.M))
    return values


def completion(program):
    fields = [cells[0] for cells in map(field, program.recipe.split("\n\nLayers")[0].splitlines()) if cells]
    plain = [key for key in fields if re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)*", key)]
    kinds = re.findall(r"^  import ([a-z]+) ", program.commands["import"][1], re.M)
    out = ["# Completion of dtrain in bash, made from its help by documents.py.", "_dtrain() {",
           '    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words=""',
           "    COMPREPLY=()",
           "    # readline takes = for the end of a word",
           "    if [[ $command == import && ${COMP_WORDS[2]-} == weights ]]; then command='import weights'; fi",
           '    if [[ $word == "=" ]]; then return; fi',
           "    if ((COMP_CWORD == 1)); then",
           "        words='%s --help --version'" % " ".join(sorted({name.split()[0] for name in program.commands})),
           "    elif [[ $command == import && $COMP_CWORD == 2 ]]; then",
           "        words='%s weights'" % " ".join(kinds),
           "    elif [[ $before == --set ]]; then",
           "        compopt -o nospace",
           "        words='%s'" % " ".join(key + "=" for key in plain),
           "    else",
           "        case $command:$before in"]
    for name, (_, text) in program.commands.items():
        for option, words in sorted(values_of(text).items()):
            out.append("        '%s:%s') words='%s' ;;" % (name, option, " ".join(sorted(words))))
    out += ["        esac", "    fi", "    if [[ -z $words && $word == -* ]]; then", "        case $command in"]
    for name, (_, text) in program.commands.items():
        out.append("        '%s') words='%s' ;;" % (name, " ".join([*options_of(text), "--help"])))
    out += ["        esac", "    fi", "    if [[ -n $words ]]; then",
            '        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")', "    fi",
            "    return 0", "}", "# What is no word of dtrain's is a file.", "complete -o default -F _dtrain dtrain"]
    return out


MAKERS = {"dtrain.1": program_page, "dtrain-recipe.5": recipe_page, "dtrain.bash": completion}


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in MAKERS:
        sys.exit(__doc__)
    print("\n".join(MAKERS[sys.argv[2]](Program(sys.argv[1]))))


main()
