// Sorting: a click on a column's button sorts by its numbers, or its words where it has none.
function key(row, column) {
  const text = row.cells[column].textContent.trim();
  const number = parseFloat(text.replace("\u2212", "-"));
  return Number.isNaN(number) || !/^[+\-\d\u2212]/.test(text) ? [1, text] : [0, number];
}
function compare(a, b) {
  if (a[0] !== b[0]) return a[0] - b[0];
  return a[0] === 0 ? a[1] - b[1] : a[1].localeCompare(b[1]);
}

// A long table draws its first rows; sorting and filters see all of them.
const FIRST = 100; // rows
const tables = new Map(); // table -> what draws it anew, with the rows that a filter lets through
function long(table) {
  const body = table.tBodies[0], rest = body.querySelector("template");
  let rows = [...body.rows, ...(rest ? rest.content.children : [])], most = FIRST;
  rest?.remove();
  const more = document.createElement("button");
  more.type = "button";
  more.className = "more";
  const draw = (passes = () => true) => {
    const fitting = rows.filter(passes);
    body.replaceChildren(...fitting.slice(0, most));
    more.hidden = fitting.length <= most;
    more.textContent = `Show all ${fitting.length} rows`;
    more.onclick = () => { most = Infinity; draw(passes); };
    table.last = passes;
    return fitting.length;
  };
  if (rows.length > FIRST) table.closest(".scroll").after(more);
  tables.set(table, { all: () => rows, draw, sort: (order) => { rows = order(rows); draw(table.last); } });
  if (rest) draw();
}
function sortable(table) {
  long(table);
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
      const empty = entry => entry[0][0] === 1 && entry[0][1] === "";
      tables.get(table).sort(rows => rows.map(row => [key(row, column), row])
        .sort((a, b) => empty(a) - empty(b) || (up ? 1 : -1) * compare(a[0], b[0])).map(entry => entry[1]));
    });
  });
}

// What is folded up or not chosen is kept aside, and becomes part of the page when it is wanted.
function unpack(holder) {
  const aside = holder.querySelector(":scope > template");
  if (!aside) return;
  aside.replaceWith(aside.content);
  enhance(holder);
}
document.addEventListener("toggle", event => { if (event.target.open) unpack(event.target); }, true);

// A box is in the order of focus while there is something to scroll in it.
const stops = new ResizeObserver(entries => {
  for (const { target } of entries) {
    const box = target.matches(".scroll, pre") ? target : target.parentElement;
    const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
    if (scrolls) box.tabIndex = 0; else box.removeAttribute("tabindex");
  }
});
function enhance(root) {
  for (const table of root.querySelectorAll("table.sortable")) sortable(table);
  for (const grid of root.querySelectorAll(".grid")) { walkable(grid); conclude(grid); }
  for (const chart of root.querySelectorAll("svg[data-curves]")) curves(chart);
  for (const button of root.querySelectorAll("button.copy[data-file]")) {
    if (!(button.dataset.file in kept)) button.remove();
  }
  for (const box of root.querySelectorAll(".scroll, pre")) {
    stops.observe(box);
    if (box.firstElementChild) stops.observe(box.firstElementChild);
  }
}

// Filters: choices of a column, or words anywhere in it.
function filtered(scores) {
  const filters = [...document.querySelectorAll("[data-column]")], rows = tables.get(scores).all();
  for (const filter of filters) {
    if (filter.tagName !== "SELECT") continue;
    const column = Number(filter.dataset.column);
    const values = new Set(rows.map(row => row.cells[column].textContent.trim()));
    for (const value of [...values].sort()) filter.append(new Option(value, value));
  }
  const count = document.getElementById("scores-count");
  const passes = row => filters.every(filter => {
    if (filter.value === "") return true;
    const text = row.cells[Number(filter.dataset.column)].textContent.trim();
    if (filter.tagName === "SELECT") return text === filter.value;
    return filter.value.toLowerCase().split(/\s+/).every(word => text.toLowerCase().includes(word));
  });
  const apply = () => { count.textContent = `${tables.get(scores).draw(passes)} of ${rows.length} rows`; };
  filters.forEach(filter => filter.addEventListener("input", apply));
  apply();
}

// Paper shows what is folded up, but for tables of many pages, which are in the files.
const LONGEST = 150; // rows
const rowsIn = part => (part.querySelector(":scope > template")?.content ?? part).querySelectorAll("tr").length;
let unfolded = [];
window.addEventListener("beforeprint", () => {
  document.querySelectorAll(".panel").forEach(unpack);
  const closed = [...document.querySelectorAll("details:not([open])")];
  unfolded = closed.filter(part => rowsIn(part) <= LONGEST && !part.querySelector("details details"));
  for (const part of unfolded) { unpack(part); part.open = true; }
});
window.addEventListener("afterprint", () => { for (const part of unfolded) part.open = false; });

// One part at a time: a task, a matrix.
function chosen(choice, parts) {
  const choose = () => {
    for (const part of parts) {
      part.hidden = choice.value !== "" && part.id !== choice.value;
      if (!part.hidden) unpack(part);
    }
  };
  choice.addEventListener("input", choose);
  choose();
}
const conclusive = document.getElementById("conclusive-only");
function conclude(grid) {
  for (const row of grid.tBodies[0].rows) {
    row.hidden = Boolean(conclusive?.checked) && !row.querySelector(".helps, .hurts, .equivalent");
  }
}
conclusive?.addEventListener("input", () => document.querySelectorAll(".grid").forEach(conclude));

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
function walkable(grid) {
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
document.addEventListener("click", async event => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const name = button.dataset.file, word = button.dataset.word ??= button.textContent;
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

enhance(document);
const chooser = document.getElementById("task-chooser"), panels = [...document.querySelectorAll(".panel")];
if (chooser) {
  if (panels.length) chooser.value = panels[0].id;
  chosen(chooser, panels);
}
for (const choice of document.querySelectorAll("[data-chooses]")) {
  chosen(choice, [...document.querySelectorAll("." + choice.dataset.chooses)]);
}
const scores = document.getElementById("table-scores");
if (scores) filtered(scores);
