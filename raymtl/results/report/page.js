"use strict";
document.documentElement.classList.add("js");

// Sorting: a click on a column's button sorts by its numbers, or its words where it has none.
function key(row, column) {
  const text = row.cells[column].textContent.trim();
  const number = parseFloat(text.replace("\u2212", "-"));
  return Number.isNaN(number) || !/^[+\-\d]/.test(text) ? [1, text] : [0, number];
}
function compare(a, b) {
  if (a[0] !== b[0]) return a[0] - b[0];
  return a[0] === 0 ? a[1] - b[1] : a[1].localeCompare(b[1]);
}
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    head.dataset.head = button.textContent; // for paper, which repeats no buttons
    button.addEventListener("click", () => {
      const numbers = head.classList.contains("num"); // largest first; words from a to z
      const now = head.getAttribute("aria-sort");
      const up = now === null ? !numbers : now === "descending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map(row => [key(row, column), row]);
      const empty = entry => entry[0][0] === 1 && entry[0][1] === "";
      rows.sort((a, b) => empty(a) - empty(b) || (up ? 1 : -1) * compare(a[0], b[0]));
      body.append(...rows.map(entry => entry[1]));
    });
  });
}

// Filters: choices of a column, or words anywhere in the row.
const scores = document.getElementById("table-scores");
if (scores) {
  const filters = [...document.querySelectorAll("[data-column]")];
  for (const filter of filters) {
    if (filter.tagName !== "SELECT") continue;
    const column = Number(filter.dataset.column);
    const values = new Set([...scores.tBodies[0].rows].map(row => row.cells[column].textContent.trim()));
    for (const value of [...values].sort()) filter.append(new Option(value, value));
  }
  const count = document.getElementById("scores-count");
  const apply = () => {
    let shown = 0;
    for (const row of scores.tBodies[0].rows) {
      row.hidden = !filters.every(filter => {
        if (filter.value === "") return true;
        const text = row.cells[Number(filter.dataset.column)].textContent.trim();
        if (filter.tagName === "SELECT") return text === filter.value;
        return filter.value.toLowerCase().split(/\s+/).every(word => text.toLowerCase().includes(word));
      });
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = `${shown} of ${scores.tBodies[0].rows.length} rows`;
  };
  filters.forEach(filter => filter.addEventListener("input", apply));
  apply();
}

// Paper shows what is folded up, but for tables of many pages, which are in the files.
const LONGEST = 150; // rows
let unfolded = [];
window.addEventListener("beforeprint", () => {
  const closed = [...document.querySelectorAll("details:not([open])")];
  unfolded = closed.filter(part => part.querySelectorAll("tr").length <= LONGEST);
  for (const part of unfolded) part.open = true;
});
window.addEventListener("afterprint", () => { for (const part of unfolded) part.open = false; });

// One task at a time.
const chooser = document.getElementById("task-chooser");
if (chooser) {
  const panels = [...document.querySelectorAll(".panel")];
  const choose = () => panels.forEach(panel => { panel.hidden = chooser.value !== "" && panel.id !== chooser.value; });
  chooser.addEventListener("input", choose);
  if (panels.length) chooser.value = panels[0].id;
  choose();
}

// One matrix, or one plot, at a time.
for (const choice of document.querySelectorAll("[data-chooses]")) {
  const parts = [...document.querySelectorAll("." + choice.dataset.chooses)];
  const choose = () => parts.forEach(part => { part.hidden = choice.value !== "" && part.id !== choice.value; });
  choice.addEventListener("input", choose);
  choose();
}
const conclusive = document.getElementById("conclusive-only");
if (conclusive) {
  conclusive.addEventListener("input", () => {
    for (const row of document.querySelectorAll(".grid tbody tr")) {
      row.hidden = conclusive.checked && !row.querySelector(".helps, .hurts, .equivalent");
    }
  });
}

// Details of a cell under the pointer or the focus.
const tip = document.getElementById("tip");
function show(cell) {
  tip.textContent = cell.dataset.tip;
  tip.hidden = false;
  const box = cell.getBoundingClientRect(), own = tip.getBoundingClientRect();
  const left = Math.min(box.left, document.documentElement.clientWidth - own.width - 8);
  const below = box.bottom + own.height + 8 < window.innerHeight;
  tip.style.left = Math.max(8, left) + "px";
  tip.style.top = Math.max(8, below ? box.bottom + 6 : box.top - own.height - 6) + "px";
}
const hide = () => { tip.hidden = true; };
for (const kind of ["pointerover", "focusin"]) {
  document.addEventListener(kind, event => {
    const cell = event.target.closest("[data-tip]");
    if (cell) { cell.setAttribute("aria-describedby", "tip"); show(cell); } else hide();
  });
}
document.addEventListener("focusout", hide);
document.addEventListener("scroll", hide, true);
document.addEventListener("keydown", event => { if (event.key === "Escape") hide(); });

// Arrow keys walk a matrix; one of its cells is in the order of focus.
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
for (const grid of document.querySelectorAll(".grid")) {
  const first = grid.querySelector("[data-tip]");
  if (first) first.tabIndex = 0;
  grid.addEventListener("keydown", event => {
    const step = STEPS[event.key], cell = event.target.closest("td");
    if (!step || !cell) return;
    event.preventDefault();
    let row = cell.parentElement.sectionRowIndex, column = cell.cellIndex;
    for (;;) {
      row += step[0];
      column += step[1];
      const next = grid.tBodies[0].rows[row]?.cells[column];
      if (!next || column < 1) return;
      if (next.dataset.tip === undefined || next.parentElement.hidden) continue;
      cell.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      return;
    }
  });
}

// Files that the page holds: gzip in base64, by name. Others lie beside it.
const kept = self.DecompressionStream ? JSON.parse(document.getElementById("files").textContent) : {};
async function unpacked(name) {
  const bytes = Uint8Array.from(atob(kept[name]), letter => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).blob();
}
document.addEventListener("click", async event => {
  const link = event.target.closest("a[download]");
  if (!link || !(link.download in kept)) return;
  event.preventDefault();
  const file = document.createElement("a");
  file.href = URL.createObjectURL(await unpacked(link.download));
  file.download = link.download;
  file.click();
  setTimeout(() => URL.revokeObjectURL(file.href), 10_000);
});

// Copying a text; where the browser forbids it, the text is shown and selected instead.
const said = document.getElementById("said");
function shownBy(button, text) {
  let place = button.parentElement.nextElementSibling;
  if (!place?.matches("pre.copied")) {
    place = document.createElement("pre");
    place.className = "copied";
    place.tabIndex = 0;
    button.parentElement.after(place);
  }
  place.textContent = text;
  return place;
}
for (const button of document.querySelectorAll("button.copy")) {
  const word = button.textContent, name = button.dataset.file;
  if (name && !(name in kept)) { button.remove(); continue; }
  button.addEventListener("click", async () => {
    const source = name ? null : document.getElementById(button.dataset.copies);
    const text = name ? await (await unpacked(name)).text() : source.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source ?? shownBy(button, text));
      button.textContent = "Selected";
    }
    said.textContent = button.textContent;
    setTimeout(() => { button.textContent = word; said.textContent = ""; }, 2000);
  });
}

// Cost against score: one task and one cost at a time, drawn from the numbers in the page.
const NS = "http://www.w3.org/2000/svg";
function draw(name, attributes, parent, text) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}
function ticks(low, high, most) {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  const step = [1, 2, 5, 10, 20].map(f => f * power).find(s => (high - low) / s <= most);
  const found = []; // round numbers between both
  for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + step * 1e-9; t += step) found.push(t);
  return found;
}
function brief(value, digits = 3) {
  for (const [size, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= size) return Number((value / size).toPrecision(digits)) + letter;
  }
  return String(Number(value.toPrecision(digits)));
}
function frontOf(points) { // cheapest first; a point is in front when it beats all that cost no more
  const front = [];
  for (const point of [...points].sort((a, b) => a.cost - b.cost || b.score - a.score)) {
    if (!front.length || point.score > front.at(-1).score) front.push(point);
  }
  return front;
}
function powers(low, high, most) { // 1, 2 and 5 times powers of ten, or the powers alone
  const found = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e += 1) {
    for (const f of [1, 2, 5]) found.push([f, Number(`${f}e${e}`)]);
  }
  const within = found.filter(([, mark]) => mark >= low && mark <= high);
  const whole = within.filter(([f]) => f === 1);
  return (within.length > most && whole.length > 1 ? whole : within).map(([, mark]) => mark);
}
function walk(svg, order, first) { // one mark is in the order of focus; arrows go to its neighbours
  const goals = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -Infinity, End: Infinity };
  order[Math.max(0, first)]?.setAttribute("tabindex", 0);
  svg.addEventListener("keydown", event => {
    const step = goals[event.key], now = order.indexOf(event.target);
    if (step === undefined || now < 0) return;
    event.preventDefault();
    const next = order[Math.min(order.length - 1, Math.max(0, now + step))];
    order[now].setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
  });
}
function pareto(data, task, axis) {
  const points = data.points.filter(p => p[0] === task && p[3][axis] !== null)
    .map(([, name, score, costs, control, metric]) => ({ name, score, cost: costs[axis], control, metric }));
  const place = document.getElementById("pareto"), words = document.getElementById("pareto-front");
  place.replaceChildren();
  words.textContent = points.length ? "" : "No cell of this task tells this cost.";
  if (!points.length) return;
  const width = Math.min(900, Math.max(320, place.clientWidth)), height = 360, left = 58, right = 16, top = 24, bottom = 44;
  const wide = points.every(p => p.cost > 0) &&
    Math.max(...points.map(p => p.cost)) / Math.min(...points.map(p => p.cost)) > 20;
  const scale = wide ? Math.log10 : value => value;
  const range = (values, pad) => {
    const low = Math.min(...values), high = Math.max(...values), room = (high - low) * pad || Math.abs(high) * 0.1 || 1;
    return [low - room, high + room];
  };
  const [x0, x1] = range(points.map(p => scale(p.cost)), 0.05), [y0, y1] = range(points.map(p => p.score), 0.08);
  const x = cost => left + (scale(cost) - x0) / (x1 - x0) * (width - left - right);
  const y = score => height - bottom - (score - y0) / (y1 - y0) * (height - top - bottom);
  const svg = draw("svg", { class: "chart sized", viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `${data.tasks[task]}: score over ${data.axes[axis]}, ${points.length} cells` }, place);
  for (const t of ticks(y0, y1, 6)) {
    draw("path", { class: "g", d: `M${left} ${y(t)}H${width - right}` }, svg);
    draw("text", { class: "e", x: left - 6, y: y(t) + 4 }, svg, String(Number(t.toFixed(4))));
  }
  draw("text", { x: 2, y: 12 }, svg, `test ${points[0].metric}`);
  const marks = wide ? powers(10 ** x0, 10 ** x1, width / 80) : ticks(x0, x1, width / 110);
  let digits = 3; // as many as tell the marks apart
  while (digits < 9 && new Set(marks.map(m => brief(m, digits))).size < marks.length) digits += 1;
  for (const cost of marks) {
    draw("text", { class: "m", x: x(cost), y: height - bottom + 18 }, svg, brief(cost, digits));
  }
  draw("text", { class: "m", x: (left + width) / 2, y: height - 6 }, svg, data.axes[axis] + (wide ? " (logarithmic)" : ""));
  const front = frontOf(points.filter(p => !p.control)), best = new Set(front);
  const steps = front.map((p, i) => (i ? `H${x(p.cost)}V${y(p.score)}` : `M${x(p.cost)} ${y(p.score)}`)).join("");
  draw("path", { class: "l", d: steps }, svg);
  const dots = new Map();
  for (const p of [...points.filter(p => !best.has(p)), ...front]) {
    const tip = `${p.name}: ${p.metric} ${p.score.toFixed(3)}, ${data.axes[axis]} ${brief(p.cost)}`;
    const at = [x(p.cost), y(p.score)];
    let dot;
    if (best.has(p)) dot = draw("rect", { class: "dot front", x: at[0] - 5, y: at[1] - 5, width: 10, height: 10 }, svg);
    else if (p.control) dot = draw("path", { class: "dot control", d: `M${at[0] - 4} ${at[1] - 4}l8 8m0 -8l-8 8` }, svg);
    else dot = draw("circle", { class: "dot", cx: at[0], cy: at[1], r: 4 }, svg);
    dot.setAttribute("role", "img");
    dot.setAttribute("aria-label", tip);
    dot.setAttribute("data-tip", tip);
    dot.setAttribute("tabindex", -1);
    dots.set(p, dot);
  }
  const order = [...dots.keys()].sort((a, b) => a.cost - b.cost || a.score - b.score).map(p => dots.get(p));
  walk(svg, order, order.indexOf(dots.get(front.at(-1))));
  words.textContent = front.length === 0 ? "" : "Front, cheapest first: " + front.map(p => `${p.name} (${p.score.toFixed(3)} at ${brief(p.cost)})`).join("; ") + ".";
}
const paretoData = document.getElementById("pareto-data");
if (paretoData) {
  const data = JSON.parse(paretoData.textContent);
  const task = document.getElementById("pareto-task"), cost = document.getElementById("pareto-cost");
  const redraw = () => pareto(data, Number(task.value), Number(cost.value));
  task.addEventListener("input", redraw);
  cost.addEventListener("input", redraw);
  redraw();
  window.addEventListener("resize", redraw);
}

// The commands of a chosen cell.
const againCell = document.getElementById("again-cell");
if (againCell) {
  const text = document.getElementById("again-text");
  const quoted = word => (/^[\w@%+=:,.\/-]+$/.test(word) ? word : "'" + word.replaceAll("'", "'\"'\"'") + "'");
  againCell.addEventListener("input", () => {
    const chosen = againCell.selectedOptions[0];
    text.textContent = `${text.dataset.rerun} ${quoted(chosen.dataset.run)}\n` +
      `${text.dataset.words} --store ${quoted(text.dataset.store)} --only ${quoted(chosen.value)}`;
  });
}
