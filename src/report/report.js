// Draws the plots of a report from the data in the page, as SVG, and shows exact values under the pointer.
"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent), runs = data.runs, many = runs.length > 1;
const grid = document.getElementById("grid"), tip = document.getElementById("tip");
let axis = "step";

// ---- elements: texts of files become text nodes, never markup ----
function make(tag, attributes, ...inside) {
  const svg = /^(svg|g|path|line|circle|text|rect)$/.test(tag);
  const one = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const name in attributes) if (attributes[name] !== undefined) one.setAttribute(name, attributes[name]);
  one.append(...inside.filter(x => x !== null && x !== undefined));
  return one;
}

// ---- numbers for people ----
const grouped = text => text.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
function short(value, digits = 3) {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1e6) return +(value / 1e6).toPrecision(digits) + "\u202fM";
  if (size >= 1e5) return +(value / 1e3).toPrecision(digits) + "\u202fk";
  if (size >= 1e3) return grouped(String(Math.round(value)));
  if (size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e-", "e−");
  return String(+value.toPrecision(digits));
}
function clock(seconds) {
  if (seconds < 120) return +seconds.toPrecision(3) + " s";
  if (seconds < 7200) return Math.floor(seconds / 60) + " min " + Math.floor(seconds % 60) + " s";
  return Math.floor(seconds / 3600) + " h " + Math.floor(seconds / 60 % 60) + " min";
}
// All digits of the metrics, those behind the sixth dimmed.
function exact(value, unit) {
  const text = String(value), digits = text.match(/^-?[0.]*[\d.]{0,7}/)[0];
  const cut = /e/.test(text) || digits.length < text.indexOf(".") ? text.length : digits.length;
  return make("b", {}, text.slice(0, cut), cut < text.length ? make("i", {}, text.slice(cut)) : null, unit ? " " + unit : "");
}

// ---- what is plotted ----
const judge = run => run.validated ? "validation" : "test";
const color = (run, at) => (many ? run : at) % 6; // of so many; then dashed
const bySite = plot => many ? [[plot, "mean", "mean of sites", true]] :
  [[plot, "mean", "mean", true], ...[...Array(10).keys()].map(i => [plot, "s" + i, run => run.sites[i] || "site " + i]), [plot, "least", "least"], [plot, "most", "most"]];
const charts = [ // varies: what is the same all the time is not drawn
  { title: "Loss", wide: true, log: 12, marks: true, best: "loss",
    series: [["loss", "loss", "training"], ["figures", "loss", judge, true]] },
  { title: "Accuracy", percent: true, best: "accuracy",
    series: [["figures", "train_accuracy", "training"], ["figures", "accuracy", judge, true]] },
  { title: "Perplexity", log: 12, best: "perplexity", series: [["figures", "perplexity", judge, true]] },
  { title: "Mean absolute error", best: "mae", series: [["figures", "mae", judge, true]] },
  { title: "Loss at sites", log: 12, series: bySite("sites") },
  { title: "Accuracy at sites", percent: true, series: bySite("accuracies") },
  { title: "Sites in a round", zero: true, varies: true, series: [["parts", "took_part", "in the sum", true], ["parts", "left_out", "left out"]] },
  { title: "Sent by sites", unit: () => "MB", scale: 1e-6, raw: "B", zero: true, series: [["bytes", "sent", "so far", true], ["bytes", "round", "in a round"]] },
  { title: "Privacy spent, ε", zero: true, series: [["privacy", "epsilon", "epsilon", true]] },
  { title: "Throughput", unit: run => run.unit, zero: true, series: [["speed", "per_second", "throughput", true]] },
  { title: "Learning rate", log: 30, zero: true, series: [["rate", "learning_rate", "learning rate", true]] },
  { title: "Gradient norm", log: 12, series: [["norm", "grad_norm", "norm", true]] },
  { title: "Time of a step", unit: () => "ms", zero: true, series: many ? [["time", "all", "all phases", true]] :
    [["time", "all", "all", true], ["time", "compute", "compute"], ["time", "reduce", "reduce"], ["time", "update", "update"], ["time", "input", "input"]] },
  { title: "Imbalance", unit: () => "% of computing above the mean, slowest rank", zero: true, series: [["skew", "skew", "slowest rank", true]] },
  { title: "Memory of a rank", unit: () => "MB", scale: 1e-6, raw: "B", zero: true,
    series: [["memory", "most", "largest", true], ["memory", "mean", "mean"]] },
];

function seriesOf(chart) {
  const all = [];
  runs.forEach((run, i) => chart.series.forEach(([plot, column, name, main], at) => {
    const table = run.plots[plot], y = table[column];
    if (!y.some(v => v !== null) || (chart.varies && y.every(v => v === y[0]))) return;
    name = typeof name === "function" ? name(run) : name;
    const kind = name;
    all.push({ run: i, name: many ? run.name + (chart.series.length > 1 ? " " + name : "") : name, short: many ? run.name : name, kind,
      main: !!main, table, y, color: color(i, at), dash: (many ? i : at) > 5 ? "6 3" : undefined, thinned: table.rows > table.step.length });
  }));
  return all;
}

// ---- scales ----
function steps(low, high, count) {
  const rough = (high - low) / count, size = 10 ** Math.floor(Math.log10(rough));
  const step = size * [1, 2, 2.5, 5, 10].find(m => m * size >= rough * 0.999);
  const out = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) out.push(+v.toPrecision(12));
  return out;
}
function decades(low, high) {
  const out = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
    for (const m of high / low > 1000 ? [1] : high / low > 60 ? [1, 3] : [1, 2, 5]) out.push(+(m * 10 ** e).toPrecision(3));
  return out.filter(v => v >= low * 0.999 && v <= high * 1.001);
}
function scaleOf(chart, all) {
  let low = Infinity, high = -Infinity;
  for (const s of all) for (const v of s.y) if (v !== null) { low = Math.min(low, v); high = Math.max(high, v); }
  const log = chart.log && low > 0 && high / low > chart.log;
  if (chart.zero && low > 0 && !log) low = 0;
  if (!log) {
    const room = (high - low || Math.abs(high) || 1) * 0.05;
    if (!(chart.zero && low === 0)) low -= room;
    high += room;
    if (chart.percent) high = Math.min(high, 1.0001);
  } else { low /= 1.08; high *= 1.08; }
  return { low, high, log, ticks: log ? decades(low, high) : steps(low, high, 5),
    at: log ? v => Math.log(v / low) / Math.log(high / low) : v => (v - low) / (high - low) };
}
const units = { s: 1, min: 60, h: 3600, d: 86400 };
function axisOf(all) {
  let low = Infinity, high = -Infinity;
  for (const s of all) { low = Math.min(low, s.table[axis][0]); high = Math.max(high, s.table[axis].at(-1)); }
  if (axis !== "seconds" || all.some(s => s.table[axis][0] >= 0)) low = Math.min(low, low < high / 4 ? 0 : low);
  if (!(high > low)) high = low + 1;
  const unit = axis !== "seconds" ? "" : high < 180 ? "s" : high < 10800 ? "min" : high < 360000 ? "h" : "d", per = units[unit] || 1;
  return { low, high, title: axis === "seconds" ? "time, " + unit : axis, per, at: v => (v - low) / (high - low) };
}
// Where a step is on the present axis.
function place(run, step) {
  const t = run.plots.loss, n = t.step.length;
  if (axis === "step" || n === 0) return n === 0 && axis !== "step" ? null : step;
  let i = t.step.findIndex(s => s >= step);
  if (i < 0) return step > t.step[n - 1] ? t[axis][n - 1] : null;
  const s0 = i > 0 ? t.step[i - 1] : 0, a0 = i > 0 ? t[axis][i - 1] : 0, s1 = t.step[i];
  return s1 > s0 ? a0 + (t[axis][i] - a0) * (step - s0) / (s1 - s0) : t[axis][i];
}

// ---- drawing ----
function draw(figure, chart) {
  const all = seriesOf(chart), width = Math.max(280, figure.clientWidth), narrow = width < 420;
  const height = chart.wide ? Math.min(340, Math.max(230, width * 0.34)) : Math.min(230, Math.max(180, width * 0.42));
  const x = axisOf(all), y = scaleOf(chart, all);
  const scale = chart.scale || (chart.percent ? 100 : 1), labels = all.filter(s => all.length <= 8 || s.main);
  const ending = v => short(v * scale) + (chart.percent ? "\u202f%" : ""), last = s => s.y.findLast(v => v !== null);
  const right = Math.min(width * 0.34, 16 + 6.7 * Math.max(x.title.length, ...labels.map(s => Math.min(24, s.short.length) + (narrow ? 0 : 1 + ending(last(s)).length))));
  const box = { left: 50, top: chart.marks ? 20 : 12, right: width - right, bottom: height - 26 };
  const X = v => box.left + (box.right - box.left) * x.at(v), Y = v => box.bottom - (box.bottom - box.top) * y.at(v);
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: 0, "aria-label": chart.title });

  for (const v of y.ticks) {
    svg.append(make("line", { class: "gridline", x1: box.left, x2: box.right, y1: Y(v), y2: Y(v) }),
      make("text", { x: box.left - 7, y: Y(v) + 4, "text-anchor": "end" }, short(v * scale) + (chart.percent ? "\u202f%" : "")));
  }
  for (const v of steps(x.low / x.per, x.high / x.per, Math.max(3, Math.round((box.right - box.left) / 85))))
    svg.append(make("text", { x: X(v * x.per), y: box.bottom + 17, "text-anchor": "middle" }, short(v, 4)));
  svg.append(make("line", { class: "axisline", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }),
    make("text", { x: box.right + 8, y: box.bottom + 17 }, x.title));

  if (chart.marks) runs.forEach((run, i) => {
    run.marks.starts.forEach(step => {
      const at = place(run, step);
      if (step <= 0 || at === null) return;
      svg.append(make("line", { class: "mark", x1: X(at), x2: X(at), y1: box.top, y2: box.bottom }),
        make("text", { x: X(at), y: box.top - 6, "text-anchor": "middle" }, "restart"));
    });
    if (!many) run.marks.checkpoints.forEach(step => {
      const at = place(run, step);
      if (at !== null) svg.append(make("line", { class: "tick", x1: X(at), x2: X(at), y1: box.bottom, y2: box.bottom + 5 }));
    });
  });

  for (const s of all) {
    let path = "", pen = "M";
    s.px = s.table[axis].map(X);
    s.py = s.y.map(v => v === null ? null : Y(v));
    s.py.forEach((py, i) => {
      if (py === null) { pen = "M"; return; }
      path += pen + s.px[i].toFixed(1) + " " + py.toFixed(1);
      pen = "L";
    });
    const stroke = `var(--c${s.color})`;
    svg.append(make("path", { class: "line" + (many && !s.main ? " thin" : ""), d: path, style: `stroke:${stroke}`, "stroke-dasharray": s.dash }));
    if (s.table.step.length <= 40) s.py.forEach((py, i) => {
      if (py !== null) svg.append(make("circle", { cx: s.px[i].toFixed(1), cy: py.toFixed(1), r: s.main && s.table.step.length < 25 ? 2.6 : 1.6, style: `fill:${stroke}` }));
    });
    const run = runs[s.run];
    if (s.main && run.best && run.judges === chart.best) {
      const i = s.table.step.indexOf(run.best.step);
      if (i >= 0 && s.py[i] !== null) svg.append(make("circle", { class: "ring", cx: s.px[i].toFixed(1), cy: s.py[i].toFixed(1), r: 5.5 }));
    }
  }
  label(svg, labels, box, ending, narrow);
  watch(svg, figure, chart, all, box);
  const thinned = all.find(s => s.thinned);
  const notes = [chart.unit ? chart.unit(runs[0]) : "", y.log ? "log scale" : "", thinned ? `least and most of ${grouped(String(thinned.table.rows))} rows` : "",
    chart.marks && !many && runs[0].marks.checkpoints.length ? "ticks below are checkpoints" : "",
    many && all.some(s => !s.main) ? "thin: " + all.find(s => !s.main).kind : "",
    chart.best && runs.some(r => r.judges === chart.best) ? "○ best" : ""];
  figure.replaceChildren(make("figcaption", {}, chart.title, make("small", {}, notes.filter(n => n).join(" · "))), svg);
}

// Names and last values at the ends of lines, moved apart where they would meet.
function label(svg, all, box, text, narrow) {
  const ends = all.map(s => {
    let i = s.y.length - 1;
    while (i > 0 && s.y[i] === null) i--;
    return { s, value: s.y[i], at: s.py[i] };
  }).filter(e => e.at !== null).sort((a, b) => a.at - b.at);
  for (let i = 1; i < ends.length; i++) ends[i].at = Math.max(ends[i].at, ends[i - 1].at + 14);
  const over = ends.length ? ends.at(-1).at - box.bottom + 4 : 0;
  if (over > 0) for (let i = ends.length - 1, limit = box.bottom - 4; i >= 0; i--, limit -= 14) ends[i].at = Math.min(ends[i].at, limit);
  for (const e of ends)
    svg.append(make("text", { class: "label", x: box.right + 8, y: e.at + 4, style: `fill:var(--c${e.s.color})` },
      (e.s.short.length > 24 ? e.s.short.slice(0, 23) + "…" : e.s.short) + (narrow ? "" : " " + text(e.value))));
}

// ---- the pointer ----
function nearest(s, px) {
  let low = 0, high = s.px.length - 1;
  while (high - low > 1) { const mid = low + high >> 1; if (s.px[mid] < px) low = mid; else high = mid; }
  const best = px - s.px[low] <= s.px[high] - px ? low : high;
  if (s.y[best] !== null) return best;
  const other = best === low ? high : low;
  return s.y[other] !== null ? other : -1;
}
function watch(svg, figure, chart, all, box) {
  const layer = make("g", {});
  let cursor = null;
  svg.append(layer);
  const show = (px, clientX, clientY) => {
    const found = all.map(s => ({ s, i: nearest(s, px) })).filter(f => f.i >= 0);
    if (!found.length) return hide();
    const lead = found.reduce((a, b) => Math.abs(a.s.px[a.i] - px) <= Math.abs(b.s.px[b.i] - px) ? a : b), at = lead.s.px[lead.i];
    cursor = at;
    const near = found.filter(f => Math.abs(f.s.px[f.i] - at) <= Math.max(1, (box.right - box.left) / 60) || f === lead);
    layer.replaceChildren(make("line", { class: "cross", x1: at, x2: at, y1: box.top, y2: box.bottom }),
      ...near.map(f => make("circle", { cx: f.s.px[f.i], cy: f.s.py[f.i], r: 3.5, style: `fill:var(--c${f.s.color})` })));
    const t = lead.s.table, i = lead.i;
    tip.replaceChildren(make("div", { class: "at" }, `step ${grouped(String(t.step[i]))} · epoch ${t.epoch[i]} · ${clock(t.seconds[i])}`),
      ...near.map(f => make("div", { class: "v" }, make("i", { class: "key", style: `--key:var(--c${f.s.color})` }),
        f.s.name + (f.s.table.step[f.i] !== t.step[i] ? ` (step ${grouped(String(f.s.table.step[f.i]))})` : ""),
        exact(f.s.y[f.i], chart.raw || (chart.unit && !chart.percent && chart.title !== "Imbalance" ? chart.unit(runs[f.s.run]) : chart.title === "Imbalance" ? "%" : "")))));
    tip.hidden = false;
    const w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(4, clientX + 16 + w > innerWidth ? clientX - w - 16 : clientX + 16) + "px";
    tip.style.top = Math.max(4, Math.min(clientY - h / 2, innerHeight - h - 4)) + "px";
  };
  const hide = () => { layer.replaceChildren(); tip.hidden = true; cursor = null; };
  svg.addEventListener("pointermove", event => {
    const r = svg.getBoundingClientRect();
    show((event.clientX - r.left) * svg.viewBox.baseVal.width / r.width, event.clientX, event.clientY);
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const points = all[0].px, from = cursor === null ? (step > 0 ? -1 : points.length) : points.findIndex(p => p >= cursor - 0.01);
    const at = points[Math.max(0, Math.min(points.length - 1, from + step))], r = svg.getBoundingClientRect();
    show(at, r.left + at * r.width / svg.viewBox.baseVal.width, r.top + r.height / 2);
  });
}

// ---- evaluations, as `dtrain eval --json` has them ----
const share = v => typeof v === "number" ? (100 * v).toFixed(1) : "–";
const figure = v => typeof v === "number" ? short(v, 4) : "–";
function table(head, rows, kind) {
  return make("table", { class: kind }, make("thead", {}, make("tr", {}, ...head.map((h, i) => make("th", { class: i ? "n" : undefined }, h)))),
    make("tbody", {}, ...rows.map(row => make("tr", {}, ...row.map((c, i) => make(i ? "td" : "th", { class: i ? "n" : undefined }, c))))));
}
function confusion(e) {
  const names = e.classes.map(c => String(c.label)), most = 24;
  if (names.length > most) return make("p", { class: "note" }, `A confusion matrix of ${names.length} classes is in evaluation.json.`);
  const cut = n => n.length > 14 ? n.slice(0, 13) + "…" : n;
  const rows = e.confusion.map((row, i) => {
    const sum = row.reduce((a, b) => a + b, 0) || 1;
    return make("tr", {}, make("th", { scope: "row" }, cut(names[i])), ...row.map((n, j) => make("td", { class: i === j ? "right" : undefined,
      title: `${names[i]} taken for ${names[j]}: ${n} of ${sum}`, style: `background:rgba(var(--heat),${(n ? 0.06 + 0.6 * n / sum : 0).toFixed(3)})` }, n ? String(n) : "·")));
  });
  return make("table", { class: "confusion" }, make("thead", {}, make("tr", {}, make("td", {}), ...names.map(n => make("th", { scope: "col" }, cut(n))))), make("tbody", {}, ...rows));
}
function calibration(c) {
  const size = 260, left = 38, top = 8, span = 210, svg = make("svg", { viewBox: `0 0 ${size} ${size}`, width: size, height: size, role: "img", "aria-label": "calibration" });
  const X = v => left + span * v, Y = v => top + span * (1 - v);
  for (const v of [0, 0.5, 1]) svg.append(make("line", { class: "gridline", x1: X(0), x2: X(1), y1: Y(v), y2: Y(v) }),
    make("text", { x: left - 6, y: Y(v) + 4, "text-anchor": "end" }, share(v).replace(".0", "") + "\u202f%"),
    make("text", { x: X(v), y: Y(0) + 16, "text-anchor": "middle" }, share(v).replace(".0", "") + "\u202f%"));
  for (const b of c.bins) if (b.samples > 0)
    svg.append(make("rect", { x: X(b.above) + 1, y: Y(b.accuracy), width: span / c.bins.length - 2, height: Math.max(0, Y(0) - Y(b.accuracy)), style: "fill:var(--c0);opacity:.75" }));
  svg.append(make("line", { class: "mark", x1: X(0), y1: Y(0), x2: X(1), y2: Y(1) }), make("text", { x: X(0.5), y: Y(0) + 32, "text-anchor": "middle" }, "probability of the chosen class"));
  return make("div", {}, make("h3", {}, "Calibration"), svg, make("p", { class: "note" }, `Share that is right, by confidence; on the dashed line it is honest. Expected calibration error ${share(c.ece)}\u202f%.`));
}
function evaluation(run) {
  const e = JSON.parse(run.evaluation);
  if (typeof e === "string") return make("p", { class: "note" }, e);
  const parts = [];
  if (Array.isArray(e.confusion) && Array.isArray(e.classes)) parts.push(make("div", {}, make("h3", {}, "Confusion"), confusion(e), make("p", { class: "note" }, "Rows are what it is, columns what it was taken for.")));
  if (Array.isArray(e.classes)) parts.push(make("div", {}, make("h3", {}, "Classes, per cent"), table(["class", "precision", "recall", "F1", "samples"],
    e.classes.slice(0, 60).map(c => [String(c.label), share(c.precision), share(c.recall), share(c.f1), grouped(String(c.samples))]).concat(
      e.macro ? [["mean of classes", share(e.macro.precision), share(e.macro.recall), share(e.macro.f1), ""]] : []))));
  if (e.calibration && Array.isArray(e.calibration.bins)) parts.push(calibration(e.calibration));
  if (Array.isArray(e.outputs)) parts.push(make("div", {}, make("h3", {}, "Residuals of each output"), table(["output", "mean absolute error", "root mean square", "R²"],
    e.outputs.slice(0, 100).map((o, i) => [String(i), figure(o.mae), figure(o.rmse), figure(o.r2)]))));
  const says = ["split", "step", "samples", "loss", "accuracy", "top5", "perplexity", "roc_auc"].filter(k => k in e).map(k => `${k} ${typeof e[k] === "number" ? short(e[k], 5) : e[k]}`).join(" · ");
  return make("div", {}, many ? make("h3", {}, run.name) : null, make("p", { class: "note" }, says), make("div", { class: "evaluated" }, ...parts));
}
const place_of = document.getElementById("evaluation");
for (const run of runs) if (run.evaluation) {
  try { place_of.append(evaluation(run)); } catch { place_of.append(make("p", { class: "note" }, "evaluation.json is not what dtrain eval --json writes.")); }
  place_of.hidden = false;
}

// ---- all of it, and again when the page is another ----
const figures = charts.filter(c => seriesOf(c).length).map(chart => {
  const one = make("figure", { class: "plot" + (chart.wide ? " wide" : "") });
  grid.append(one);
  return { one, chart };
});
const redraw = () => figures.forEach(f => draw(f.one, f.chart));
for (const input of document.querySelectorAll("input[name=axis]")) input.addEventListener("change", () => { axis = input.value; redraw(); });
addEventListener("resize", redraw);
redraw();
})();
