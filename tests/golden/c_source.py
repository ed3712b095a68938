"""How the scripts here write numbers and tables as C: each of them prints a header, and is its models and its cases."""


def begin(*comment):
    """The comment's lines, whole; what follows is laid out by us."""
    print("\n".join(comment) + "\n/* clang-format off */")


def end():
    print("/* clang-format on */")


def enum(**values):
    print("enum { " + ", ".join(f"{name} = {value}" for name, value in values.items()) + " };")


def braced(values, form="{}"):
    """An array's or a struct's initialiser on one line."""
    return "{" + ", ".join(form.format(value) for value in values) + "}"


def shape(dims):
    """A rank and its dimensions."""
    return f"{len(dims)}, {braced(dims)}"


def array(name, values, form="{:.15g}", of="double"):
    """Defines an array over many lines."""
    lines, line = [], "    "
    for value in values or [0.0]:  # C has no empty arrays
        text = form.format(value) + ", "
        if len(line) + len(text) > 118:
            lines.append(line.rstrip())
            line = "    "
        line += text
    print(f"static const {of} {name}[] = {{")
    print("\n".join(lines + [line.rstrip()]) + "\n};")


def struct(name, *members):
    """Opens a table of rows with such members; `};` closes it."""
    print("static const struct {")
    for member in members:
        print("    " + member)
    print(f"}} {name}[] = {{")


def table(name, each, members, keys, rows):
    """A table `name` whose rows have `members` and pointers to numbers: the arrays EACH_KEY, EACH the row's number put
    to `each`. A row is the text of its members and a dict of the numbers."""
    for i, (_, numbers) in enumerate(rows):
        for key in keys:
            array(f"{each}{i}_{key}", numbers[key])
    struct(name, *members, "const double " + ", ".join("*" + key for key in keys) + ";")
    for i, (text, _) in enumerate(rows):
        names = [f"{each}{i}_{key}" for key in keys]
        print(f"    {{{text},\n     " + ", ".join(names[:4]) + ",\n     " + ", ".join(names[4:]) + "},")
    print("};")
