"use strict";
document.documentElement.classList.add("js");

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

// Curves: an epoch at a time, by pointer, touch or arrow keys; each curve can be left out.
function curves(chart) {
  const { epochs, left, right, top, bottom, curves: known } = JSON.parse(chart.dataset.curves);
  const first = epochs[0], last = epochs.at(-1), shown = known.map(() => true);
  const x = epoch => left + (epoch - first) / Math.max(1, last - first) * (right - left);
  const guide = draw("path", { class: "guide", d: "" }, chart);
  let now = epochs.length - 1;
  const words = () => `epoch ${epochs[now]}` + known.map((c, i) => {
    const at = c.epochs.indexOf(epochs[now]);
    if (!shown[i] || at < 0) return "";
    return `\n${c.name}: ${c.mean[at].toFixed(3)}` + (c.runs > 1 ? ` \u00b1 ${c.deviation[at].toFixed(3)}` : "");
  }).join("");
  const set = (next, loud) => {
    now = Math.min(epochs.length - 1, Math.max(0, next));
    chart.setAttribute("aria-valuenow", epochs[now]);
    chart.setAttribute("aria-valuetext", words());
    chart.dataset.tip = words();
    guide.setAttribute("d", loud ? `M${x(epochs[now])} ${top}V${bottom}` : "");
    if (loud) show(chart);
  };
  const role = { role: "slider", tabindex: 0, "aria-valuemin": first, "aria-valuemax": last };
  for (const [name, value] of Object.entries(role)) chart.setAttribute(name, value);
  set(now, false);
  chart.addEventListener("pointermove", event => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
    const gaps = epochs.map(epoch => Math.abs(x(epoch) - point.x));
    set(gaps.indexOf(Math.min(...gaps)), true);
  });
  chart.addEventListener("keydown", event => {
    const goals = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, Home: 0, End: epochs.length };
    if (!(event.key in goals)) return;
    event.preventDefault();
    set(goals[event.key], true);
  });
  chart.addEventListener("focus", () => set(now, true));
  for (const leave of ["pointerleave", "blur"]) chart.addEventListener(leave, () => { set(now, false); hide(); });
  const legend = chart.nextElementSibling;
  [...legend.children].forEach((item, i) => {
    const box = document.createElement("input"), label = document.createElement("label");
    box.type = "checkbox";
    box.checked = true;
    label.append(box, ...item.childNodes);
    item.append(label);
    box.addEventListener("input", () => {
      shown[i] = box.checked;
      chart.querySelectorAll("g[class]")[i].toggleAttribute("hidden", !box.checked);
      set(now, false);
    });
  });
}

