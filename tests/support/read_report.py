"""Reads a report as a browser would: that its elements are closed in their order and come from nowhere else, and its data.

read_report.py check REPORT RUN…: also that every plotted row is a row of the run's metrics, number for number, and that the
least and the most of each figure are among them. read_report.py elements REPORT: how often each element is there.
"""
import collections, html.parser, json, math, os, re, sys

import h5py

VOID = {"meta", "link", "img", "br", "hr", "input", "base", "col", "embed", "source", "wbr"}


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.count, self.data, self.text, self.attributes = [], collections.Counter(), "", [], []

    def handle_starttag(self, tag, attrs):
        self.count[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id")))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> at {self.getpos()}, where {self.open[-1:]} is open"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == ("script", "data"):
            self.data += data
        elif not self.open or self.open[-1][0] not in ("script", "style"):
            self.text.append(data)


def read(path):
    reader = Reader()
    reader.feed(open(path, encoding="utf-8").read())
    reader.close()
    assert not reader.open, f"never closed: {reader.open}"
    for tag, name, value in reader.attributes:
        assert not name.startswith("on"), f"<{tag} {name}>"
        assert name not in ("src", "href", "action", "srcset", "data"), f"<{tag} {name}={value}> is from elsewhere"
    assert not re.search(r"@import|url\(", "".join(re.findall(r"<style>.*?</style>", open(path, encoding="utf-8").read(), re.S)))
    return reader


def metrics(run):
    """Rows by series and column, of metrics.h5 where there is one."""
    path = f"{run}/metrics.h5"
    if os.path.exists(path):
        with h5py.File(path, "r") as file:
            return {series: {name: column[:].tolist() for name, column in file[series].items()} for series in ("train", "epoch")}
    rows = [row for row in map(json.loads, open(f"{run}/metrics.jsonl")) if "series" in row]
    return {series: {key: [math.nan if row[key] is None else row[key] for row in rows if row["series"] == series]
                     for key in next((row for row in rows if row["series"] == series), {}) if key != "series"}
            for series in ("train", "epoch")}


PLOTTED = {("loss", "loss"): "loss", ("rate", "learning_rate"): "learning_rate", ("norm", "grad_norm"): "grad_norm",
           ("speed", "per_second"): "samples_per_s", ("memory", "most"): "memory_max", ("memory", "mean"): "memory_mean"}


def compare(run, of):
    train, epoch = of["train"], of["epoch"]
    judged = "validation_" if "validation_loss" in epoch else "test_"
    compared = 0
    for (plot, column), name in PLOTTED.items():
        if plot == "speed" and run["unit"] == "tokens/s":
            name = "tokens_per_s"
        compared += match(run["plots"][plot], column, train, name, plot == column or plot in ("rate", "norm", "speed"))
    for column in ("loss", "accuracy", "top5", "mae", "perplexity", "bits_per_char"):
        compared += match(run["plots"]["figures"], column, epoch, judged + column, column == "loss")
    for column in ("train_loss", "train_accuracy"):
        compared += match(run["plots"]["figures"], column, epoch, column, False)
    return compared


def match(table, column, rows, name, extremes):
    place = {step: i for i, step in enumerate(rows.get("step", []))}
    assert table["step"] == sorted(set(table["step"])), "steps in their order"
    for step, epoch, seconds, value in zip(table["step"], table["epoch"], table["seconds"], table[column]):
        right = rows[name][place[step]] if name in rows else math.nan
        assert value == right or (value is None and math.isnan(right)), f"{name} of step {step}: {value!r}, not {right!r}"
        assert math.isclose(epoch, rows["epoch"][place[step]], rel_tol=1e-6) and math.isclose(seconds, rows["seconds"][place[step]], rel_tol=1e-6)
    there = [v for v in rows.get(name, []) if not math.isnan(v)]
    if there and extremes:
        shown = [v for v in table[column] if v is not None]
        assert min(shown) == min(there) and max(shown) == max(there), f"{name}: {min(shown)} to {max(shown)} of {min(there)} to {max(there)}"
        assert len(table["step"]) == len(there) or len(table["step"]) >= 100
    return len(table[column])


def compare_sites(run, path):
    """Curves by site, of few enough that none is thinned, and who took part and what was sent, beside metrics.jsonl."""
    rows = [row for row in map(json.loads, open(f"{path}/metrics.jsonl")) if row.get("series") in ("site", "round")]
    told = {(row["step"], row["site"]): row for row in rows if row["series"] == "site"}
    rounds = [row for row in rows if row["series"] == "round"]
    compared = sent = 0
    for plot, figure in ("sites", "loss"), ("accuracies", "accuracy"):
        table = run["plots"][plot]
        assert len(rounds) > 250 or table["step"] == [row["step"] for row in rounds], plot
        for i, step in enumerate(table["step"]):
            for site in range(10) if rounds[0]["sites"] <= 10 else ():
                right = told.get((step, site), {}).get(figure)
                assert table[f"s{site}"][i] == right, f"{figure} of site {site} in round {step}: {table[f's{site}'][i]}, not {right}"
                compared += right is not None
    for i, row in enumerate(rounds if len(rounds) <= 250 else ()):
        late = sum(not told[at]["took_part"] for at in told if at[0] == row["step"])
        right = row["took_part"], late, row["bytes"], row["bytes"] - sent
        shown = tuple(run["plots"][plot][column][i] for plot, column in (("parts", "took_part"), ("parts", "left_out"), ("bytes", "sent"), ("bytes", "round")))
        assert shown == right, f"round {row['step']}: {shown}, not {right}"
        sent = row["bytes"]
        compared += 4
    return compared


if __name__ == "__main__":
    page = read(sys.argv[2])
    if sys.argv[1] == "elements":
        print(" ".join(f"{tag}={n}" for tag, n in sorted(page.count.items())))
    else:
        runs = json.loads(page.data, parse_constant=lambda text: sys.exit(f"{text} is no JSON"))["runs"]
        assert len(runs) == len(sys.argv) - 3
        print(sum(compare(run, metrics(path)) + compare_sites(run, path) for run, path in zip(runs, sys.argv[3:])), "numbers are those of the metrics")
