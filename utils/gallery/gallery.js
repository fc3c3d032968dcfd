"use strict";
(() => {
const $ = id => document.getElementById(id);
const data = JSON.parse($("data").textContent);
$("data").remove();

// Light enough for dark text. Each colour differs as much as possible from all before it, also for people with
// a colour vision deficiency; the first eight differ clearly.
const COLOURS = ["#ffaa22", "#5577dd", "#66ddff", "#dd4455", "#ffee99", "#44bbaa", "#aa99ff", "#aa6699",
  "#ee7755", "#99ffdd", "#99cc88", "#bbee44", "#8888cc", "#dd11ff", "#66aa77", "#cc7711"];
const GAP = 8, MIN_RATIO = .5, MAX_RATIO = 2.6;
const MAX_HEIGHT = 12e6;  // pixels: browsers draw nothing beyond about 17 million
const FILE = 0, WIDTH = 1, HEIGHT = 2, BYTES = 3, URL_OF = 4, BOXES = 5, CATEGORY = 6;
const MAX_CHIPS = 24;
const MAX_NAME = 200;  // characters of a name that are shown; labels may have any length

// --- data: one list of images, each with its category

const images = [];
for (const category of data.categories) {
  for (const image of category.images) { image.push(category); images.push(image); }
}
const codeOf = image => decoded(image[FILE]).replace(/\.\w+$/, "");
function decoded(file) {
  try { return decodeURIComponent(file); } catch { return file; }  // a name that is not UTF-8
}
const pathOf = image => `${image[CATEGORY].path}/Images/${image[FILE]}`;
const idOf = image => `${image[CATEGORY].folder}/${codeOf(image)}`;
const classOf = image => image[CATEGORY].class;  // the class of its category in exports, or ""
const plain = name => (name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name).replaceAll("_", " ");
const nameOf = label => plain(data.labels[label]);
const colourOf = label => COLOURS[data.colours[label]];
const many = (count, one, more) => `${count.toLocaleString("en")} ${count === 1 ? one : more}`;

function labelsOf(image) {
  const found = [];
  for (let at = 0; at < image[BOXES].length; at += 5) found.push(image[BOXES][at]);
  return found;
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// --- state: filters and switches, kept in the URL's fragment so that a reload shows the same

const state = {category: "", class: "", label: "", boxes: "", q: "", size: 0, draw: true, names: true, hide: new Set(), image: ""};
const defaultSize = innerWidth < 640 ? 120 : 180;
let written = null;

function readState() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of ["category", "class", "label", "boxes", "q", "image"]) state[key] = given.get(key) ?? "";
  state.size = Math.min(360, Math.max(90, Number(given.get("size")) || defaultSize));
  state.draw = given.get("draw") !== "0";
  state.names = given.get("names") !== "0";
  state.hide = new Set(given.getAll("hide"));
}

function writeState() {
  const given = new URLSearchParams();
  for (const key of ["category", "class", "label", "boxes", "q", "image"]) if (state[key]) given.set(key, state[key]);
  if (state.size !== defaultSize) given.set("size", state.size);
  if (!state.draw) given.set("draw", "0");
  if (!state.names) given.set("names", "0");
  for (const name of state.hide) given.append("hide", name);
  written = given.toString();
  history.replaceState(null, "", `#${written}`);
}

// --- filters

let shown = [];

function filter() {
  const label = state.label ? data.labels.indexOf(state.label) : -1;
  const words = state.q.trim().toLowerCase();
  shown = images.filter(image =>
    (!state.category || image[CATEGORY].folder === state.category) &&
    (!state.class || classOf(image) === state.class) &&
    (!state.label || labelsOf(image).includes(label)) &&
    (!state.boxes || (image[BOXES].length > 0) === (state.boxes === "with")) &&
    (!words || codeOf(image).toLowerCase().includes(words)));
}

function showCount() {
  const boxes = shown.reduce((sum, image) => sum + image[BOXES].length / 5, 0);
  const leftOut = data.left_out && !state.q ? ` ${data.left_out.toLocaleString("en")} more are only in the folders, as the page would be too large.` : "";
  const cut = rows.cut ? ` Only the first ${rows.cut.toLocaleString("en")} fit on the page: filter to see others.` : "";
  $("count").textContent = shown.length
    ? `${many(shown.length, "image", "images")} with ${many(boxes, "box", "boxes")}.${cut}${leftOut}`
    : `${images.length ? "No matching image" : "No images yet"}.${leftOut}`;
}

// --- layout: rows that fill the width; every image keeps its shape

const rows = {first: [], top: [], height: [], cut: 0};
const grid = $("grid");
const ratioOf = image => Math.min(MAX_RATIO, Math.max(MIN_RATIO, image[WIDTH] / image[HEIGHT]));

function layOut() {
  const room = grid.clientWidth;
  Object.assign(rows, {first: [], top: [], height: [], cut: 0});
  let top = 0, begin = 0, ratios = 0;
  for (let at = 0; at < shown.length; at++) {
    ratios += ratioOf(shown[at]);
    const gaps = GAP * (at - begin), isLast = at === shown.length - 1;
    if (ratios * state.size + gaps < room && !isLast) continue;
    const height = Math.min((room - gaps) / ratios, isLast ? state.size : Infinity);
    rows.first.push(begin); rows.top.push(top); rows.height.push(height);
    top += height + GAP; begin = at + 1; ratios = 0;
    if (top > MAX_HEIGHT && !isLast) { rows.cut = begin; break; }
  }
  rows.first.push(begin);
  grid.style.height = `${Math.max(0, top - GAP)}px`;
  drawn.forEach(element => element.remove());
  drawn.clear();
  drawRows();
}

// The index of the last of some ascending numbers that is at most a value; rows.first has one number too many.
function lastAtMost(numbers, value) {
  let low = 0, high = rows.top.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (numbers[middle] <= value) low = middle; else high = middle - 1;
  }
  return low;
}

const rowAt = y => lastAtMost(rows.top, y);
const rowOf = index => lastAtMost(rows.first, index);

// --- only the rows near the window are in the document: the page is as quick with 50,000 images as with 50

const drawn = new Map();
let current = 0;

function drawRows() {
  if (!rows.top.length) return;
  const above = -grid.getBoundingClientRect().top, margin = innerHeight;
  const from = rowAt(above - margin / 2), to = rowAt(above + innerHeight + margin);
  for (const [row, element] of drawn) {
    if ((row < from || row > to) && !element.contains(document.activeElement)) { element.remove(); drawn.delete(row); }
  }
  for (let row = from; row <= to; row++) if (!drawn.has(row)) drawRow(row);
}

function drawRow(row) {
  const element = make("div");
  element.setAttribute("role", "presentation");
  let left = 0;
  for (let index = rows.first[row]; index < rows.first[row + 1]; index++) {
    const width = ratioOf(shown[index]) * rows.height[row];
    const item = tile(index, width, rows.height[row]);
    Object.assign(item.style, {left: `${left}px`, top: `${rows.top[row]}px`, width: `${width}px`, height: `${rows.height[row]}px`});
    element.append(item);
    left += width + GAP;
  }
  drawn.set(row, element);
  const after = [...drawn.keys()].filter(other => other > row).sort((a, b) => a - b)[0];
  grid.insertBefore(element, after === undefined ? null : drawn.get(after));
}

function tile(index, width, height) {
  const image = shown[index];
  const picture = make("img", {loading: "lazy", decoding: "async", alt: describe(image), draggable: false});
  const button = make("button", {type: "button", className: "tile", tabIndex: index === current ? 0 : -1},
    picture, make("span", {className: "code", ariaHidden: "true", textContent: [codeOf(image), classOf(image)].filter(Boolean).join(" · ")}));
  button.dataset.index = index;
  picture.addEventListener("load", () => overlay(button, image, width, height, 11));
  picture.src = pathOf(image);
  overlay(button, image, width, height, 11);
  const item = make("div", {}, button);
  item.setAttribute("role", "listitem");
  item.setAttribute("aria-posinset", index + 1);
  item.setAttribute("aria-setsize", shown.length);
  return item;
}

function describe(image) {
  const counts = new Map();
  for (const label of labelsOf(image)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const objects = [...counts].map(([label, count]) => count > 1 ? `${count} × ${nameOf(label)}` : nameOf(label));
  const category = `${plain(image[CATEGORY].folder)}${classOf(image) && `, class ${classOf(image)}`}`;
  return `${category}, ${codeOf(image)}, ${objects.length ? `boxes: ${objects.join("; ")}` : "no boxes"}`;
}

// --- overlay: boxes and label names over an image, in screen pixels

const SVG = "http://www.w3.org/2000/svg";
const context = document.createElement("canvas").getContext("2d");

function shape(parent, tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  parent.append(element);
  return element;
}

function textWidth(text, size) {
  context.font = `${size}px system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif`;
  return context.measureText(text).width;
}

function truncated(text, size, room) {
  if (textWidth(text, size) <= room) return text;
  let fits = 0, beyond = text.length;
  while (beyond - fits > 1) {
    const middle = (fits + beyond) >> 1;
    if (textWidth(`${text.slice(0, middle)}…`, size) <= room) fits = middle; else beyond = middle;
  }
  return fits ? `${text.slice(0, fits)}…` : "";
}

// Boxes refer to the stored pixels. If the browser rotates an image by its EXIF orientation, width and height are
// swapped, and no boxes are drawn.
function isRotated(picture, image) {
  return picture.naturalWidth > 0 && image[WIDTH] !== image[HEIGHT] &&
    picture.naturalWidth === image[HEIGHT] && picture.naturalHeight === image[WIDTH];
}

function overlay(holder, image, width, height, letters) {
  holder.querySelector("svg")?.remove();
  if (!state.draw || !image[BOXES].length || isRotated(holder.querySelector("img"), image)) return;
  const scale = Math.min(width / image[WIDTH], height / image[HEIGHT]);
  const left = (width - image[WIDTH] * scale) / 2, top = (height - image[HEIGHT] * scale) / 2;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-hidden", "true");
  const places = [];
  for (let at = 0; at < image[BOXES].length; at += 5) {
    const [label, xmin, ymin, xmax, ymax] = image[BOXES].slice(at, at + 5);
    if (state.hide.has(data.labels[label])) continue;
    const place = {  // xmax and ymax are inclusive
      x: left + xmin * scale, y: top + ymin * scale,
      width: (xmax - xmin + 1) * scale, height: (ymax - ymin + 1) * scale,
    };
    shape(svg, "rect", {...place, class: "halo"});
    shape(svg, "rect", {...place, class: "edge", stroke: colourOf(label)});
    places.push([label, place]);
  }
  if (state.names) drawTags(svg, places, {width, height, letters});
  holder.querySelector("img").after(svg);
}

// Positions for the name of a box, the best first: above, inside or below it, at its left or right edge.
function tagPositions(place, wide, high) {
  const left = place.x - 1, right = place.x + place.width + 1 - wide;
  const above = place.y - high, below = place.y + place.height;
  const hasRoom = place.height > 1.5 * high && place.width >= wide;
  return [{x: left, y: above}, ...(hasRoom ? [{x: left, y: Math.max(0, place.y)}] : []), {x: right, y: above},
    {x: left, y: below}, {x: right, y: below}];
}

// Names of the largest boxes are placed first; a name for which no room is left is omitted.
function drawTags(svg, places, {width, height, letters}) {
  const high = letters + 5, taken = [];
  places.sort(([, a], [, b]) => b.width * b.height - a.width * a.height);
  for (const [label, place] of places) {
    const text = truncated(nameOf(label), letters, Math.min(width - 8, Math.max(place.width, letters * 11) - 8));
    const wide = textWidth(text, letters) + 8;
    const position = tagPositions(place, wide, high).map(({x, y}) => ({x: Math.max(0, Math.min(x, width - wide)), y})).find(({x, y}) =>
      y >= 0 && y + high <= height && !taken.some(other =>
        x < other.right && other.x < x + wide && y < other.y + high && other.y < y + high));
    if (!text || !position) continue;
    const {x, y} = position;
    taken.push({x, y, right: x + wide});
    shape(svg, "rect", {x, y, width: wide, height: high, rx: 2, fill: colourOf(label), class: "tag"});
    shape(svg, "text", {x: x + 4, y: y + high / 2, "font-size": letters}).textContent = text;
  }
}

// --- viewer: one image, as large as the window allows

const viewer = $("viewer"), stage = $("stage");

function open(index) {
  current = index;
  const image = shown[index];
  state.image = idOf(image);
  writeState();
  $("viewer-title").textContent = [codeOf(image), plain(image[CATEGORY].folder), classOf(image)].filter(Boolean).join(" · ");
  $("facts").textContent = `${(index + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")} · ` +
    `${image[WIDTH]} × ${image[HEIGHT]} pixels · ${Math.max(1, Math.round(image[BYTES] / 1000)).toLocaleString("en")} kB`;
  $("objects").replaceChildren(...[...new Set(labelsOf(image))].map(label => object(image, label)));
  $("file").href = pathOf(image);
  const isLink = /^https?:\/\//i.test(image[URL_OF]);
  $("source").hidden = !isLink;
  if (isLink) $("source").href = image[URL_OF]; else $("source").removeAttribute("href");
  $("origin").textContent = image[URL_OF] || "Your own photo";
  $("previous").disabled = index === 0;
  $("next").disabled = index === shown.length - 1;
  if (!viewer.open) { viewer.showModal(); viewer.focus(); }
  const picture = make("img", {alt: describe(image), draggable: false});
  stage.replaceChildren(make("figure", {}, picture));
  picture.addEventListener("load", fit);
  picture.src = pathOf(image);
  fit();
}

function object(image, label) {
  const places = [];
  labelsOf(image).forEach((other, at) => {
    const [xmin, ymin, xmax, ymax] = image[BOXES].slice(at * 5 + 1, at * 5 + 5);
    if (other === label) places.push(`x ${xmin} to ${xmax}, y ${ymin} to ${ymax}`);
  });
  const swatch = make("i");
  swatch.style.background = colourOf(label);
  return make("li", {title: places.join("\n")}, swatch, `${places.length > 1 ? `${places.length} × ` : ""}${nameOf(label)}`);
}

function fit() {
  const figure = stage.firstElementChild, image = shown[current];
  if (!figure || !image) return;
  const rotated = isRotated(figure.firstElementChild, image);
  const [width, height] = rotated ? [image[HEIGHT], image[WIDTH]] : [image[WIDTH], image[HEIGHT]];
  const scale = Math.min(stage.clientWidth / width, stage.clientHeight / height, 4);
  Object.assign(figure.style, {width: `${width * scale}px`, height: `${height * scale}px`});
  overlay(figure, image, width * scale, height * scale, 14);
  if (rotated) $("facts").append(" · rotated by the browser (EXIF orientation), so boxes are not drawn");
}

function step(by) {
  const index = current + by;
  if (index >= 0 && index < shown.length) open(index);
}

viewer.addEventListener("close", () => {
  stage.replaceChildren();
  state.image = "";
  writeState();
  focusTile(Math.min(current, rows.first.at(-1) - 1));
});
viewer.addEventListener("keydown", event => {
  const by = {ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1}[event.key];
  if (by) { event.preventDefault(); step(by); }
  if (event.key === "Home") open(0);
  if (event.key === "End") open(shown.length - 1);
});
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
$("close").addEventListener("click", () => viewer.close());
stage.addEventListener("click", event => { if (event.target === stage) viewer.close(); });

// --- keyboard: Tab reaches one image of the grid, arrow keys the others

function focusTile(index) {
  if (index < 0 || index >= shown.length || !rows.top.length) return;
  const row = rowOf(index), edge = $("bar").offsetHeight + GAP, stuck = getComputedStyle($("bar")).position === "sticky";
  const top = grid.getBoundingClientRect().top + rows.top[row], bottom = top + rows.height[row];
  if (top < (stuck ? edge : GAP)) scrollBy(0, top - (stuck ? edge : GAP));
  else if (bottom > innerHeight - GAP) scrollBy(0, bottom - innerHeight + GAP);
  drawRows();
  grid.querySelector(`[data-index="${current}"]`)?.setAttribute("tabindex", -1);
  current = index;
  const button = grid.querySelector(`[data-index="${index}"]`);
  button?.setAttribute("tabindex", 0);
  button?.focus({preventScroll: true});
}

function neighbour(index, by) {
  const row = rowOf(index) + by;
  if (row < 0 || row >= rows.top.length) return index;
  const middleOf = at => {
    const own = rowOf(at);
    let left = 0;
    for (let other = rows.first[own]; other < at; other++) left += ratioOf(shown[other]) * rows.height[own] + GAP;
    return left + ratioOf(shown[at]) * rows.height[own] / 2;
  };
  let best = rows.first[row];
  for (let at = best; at < rows.first[row + 1]; at++) {
    if (Math.abs(middleOf(at) - middleOf(index)) < Math.abs(middleOf(best) - middleOf(index))) best = at;
  }
  return best;
}

grid.addEventListener("keydown", event => {
  const at = Number(event.target.dataset.index ?? -1);
  if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  const last = rows.first.at(-1) - 1;
  const goals = {ArrowLeft: () => at - 1, ArrowRight: () => at + 1, ArrowUp: () => neighbour(at, -1),
    ArrowDown: () => neighbour(at, 1), Home: () => 0, End: () => last};
  if (!(event.key in goals)) return;
  event.preventDefault();
  focusTile(Math.max(0, Math.min(last, goals[event.key]())));
});
grid.addEventListener("click", event => {
  const button = event.target.closest(".tile");
  if (button) open(Number(button.dataset.index));
});

// --- charts

function chart(title, note, bars) {
  const most = Math.max(1, ...bars.map(bar => bar.count));
  const body = make("tbody");
  for (const {name, count, kind = "", hint = ""} of bars) {
    const length = make("span", {className: count ? kind : "none"});
    length.style.width = `${100 * count / most}%`;
    body.append(make("tr", {title: hint || name}, make("th", {scope: "row", textContent: name}), make("td", {}, length),
      make("td", {textContent: count.toLocaleString("en")})));
  }
  const table = make("table", {}, body);
  table.setAttribute("aria-label", title);
  return make("section", {className: "chart"}, make("h2", {textContent: title}), make("p", {textContent: note}), table);
}

function statusBars(numbers) {
  const failed = numbers.reasons.map(([word, count]) => ({name: plain(word), count, kind: "bad", hint: data.meanings[word]}));
  const others = failed.slice(5).reduce((sum, bar) => sum + bar.count, 0);
  const {skipped = 0, not_attempted = 0} = numbers.statuses;
  return [
    {name: "saved with boxes", count: numbers.annotated, kind: "good"},
    {name: "saved without", count: numbers.saved - numbers.annotated, kind: "good"},
    ...(numbers.own ? [{name: "own photos among them", count: numbers.own, kind: "good"}] : []),
    ...failed.slice(0, 5),
    ...(others ? [{name: many(failed.length - 5, "other reason", "other reasons"), count: others, kind: "bad"}] : []),
    ...(skipped ? [{name: "not needed", count: skipped, hint: "Enough images were saved before."}] : []),
    ...(not_attempted ? [{name: "not attempted", count: not_attempted, hint: "The run ended before these URLs were tried."}] : []),
  ];
}

function drawCharts() {
  const category = data.categories.find(category => category.folder === state.category);
  const numbers = category ?? data.classes[state.class] ?? data.total;
  $("whose").textContent = `Statistics of ${category ? plain(category.folder) : state.class ? `the class ${state.class}` : "the whole folder"}`;
  const notes = [
    numbers.size && `most frequent size ${numbers.size}`,
    numbers.saved ? `${(numbers.boxes / numbers.saved).toFixed(1)} on average` : "",
    numbers.share && `median ${numbers.share}`,
  ];
  $("charts").replaceChildren(
    chart("Status of the URLs", `${many(numbers.urls, "URL", "URLs")} considered`, statusBars(numbers)),
    ...Object.entries(data.scales).map(([title, names], at) => chart(title, notes[at],
      names.map((name, bin) => ({name, count: numbers.histograms[title][bin]})))));
  const chosen = new Set(data.categories.filter(one =>
    state.category ? one === category : state.class && one.class === state.class).map(one => one.folder));
  for (const row of document.querySelectorAll(".scroll tbody tr")) {
    row.classList.toggle("chosen", chosen.has(new URLSearchParams(row.querySelector("a").hash.slice(1)).get("category")));
  }
}

// --- legend: shows and hides the boxes of each label

function drawLegend() {
  const counts = new Map();
  for (const image of shown) for (const label of labelsOf(image)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const chips = [...counts].sort((a, b) => b[1] - a[1]).map(([label, count]) => {
    const swatch = make("i");
    swatch.style.background = colourOf(label);
    const chip = make("button", {type: "button", title: "Show or hide these boxes"}, swatch, nameOf(label),
      make("b", {textContent: count.toLocaleString("en")}));
    chip.setAttribute("aria-pressed", !state.hide.has(data.labels[label]));
    chip.addEventListener("click", () => {
      const name = data.labels[label];
      if (!state.hide.delete(name)) state.hide.add(name);
      chip.setAttribute("aria-pressed", !state.hide.has(name));
      writeState();
      layOut();
    });
    return chip;
  });
  const more = chips.splice(MAX_CHIPS);
  $("legend").replaceChildren(...chips,
    ...(more.length ? [make("details", {}, make("summary", {textContent: `${more.length} more`}), ...more)] : []));
}

// --- filter bar

function fillSelect(select, everything, names) {
  select.replaceChildren(make("option", {value: "", textContent: everything}),
    ...names.map(name => make("option", {value: name, textContent: plain(name)})));
}

function showState() {
  for (const key of ["category", "class", "label", "boxes", "q", "size"]) $(key).value = state[key];
  for (const key of ["category", "class", "label", "boxes"]) if ($(key).value !== state[key]) { state[key] = ""; $(key).value = ""; }
  $("draw").checked = state.draw;
  $("names").checked = state.names;
}

function update() {
  filter();
  current = 0;
  drawCharts();
  drawLegend();
  layOut();
  showCount();
}

function changed(event) {
  const field = event.target;
  if (!(field.id in state)) return;
  state[field.id] = field.type === "checkbox" ? field.checked : field.type === "range" ? Number(field.value) : field.value;
  writeState();
  if (["size", "draw", "names"].includes(field.id)) layOut(); else update();
}

function follow() {
  if (location.hash.slice(1) === written) return;
  const wasOpen = viewer.open;
  readState();
  const wanted = state.image;
  showState();
  update();
  const index = wanted ? shown.findIndex(image => idOf(image) === wanted) : -1;
  if (index >= 0) open(index); else if (wasOpen) viewer.close();
}

$("bar").addEventListener("input", changed);
$("bar").addEventListener("submit", event => event.preventDefault());
$("bar").addEventListener("reset", event => {
  event.preventDefault();
  Object.assign(state, {category: "", class: "", label: "", boxes: "", q: "", draw: true, names: true, hide: new Set()});
  showState();
  writeState();
  update();
});

let waiting = false;
addEventListener("scroll", () => {
  if (!waiting) requestAnimationFrame(() => { waiting = false; drawRows(); });
  waiting = true;
}, {passive: true});
addEventListener("hashchange", follow);
let width = 0;
new ResizeObserver(() => {
  if (grid.clientWidth !== width) { width = grid.clientWidth; layOut(); showCount(); }
}).observe(grid);
addEventListener("resize", () => { drawRows(); if (viewer.open) fit(); });

fillSelect($("category"), "all", data.categories.map(category => category.folder));
fillSelect($("class"), "any", Object.keys(data.classes));
$("class-filter").hidden = !Object.keys(data.classes).length;
fillSelect($("label"), "any", data.labels.filter(Boolean).sort());
$("bar").hidden = $("pictures").hidden = false;
$("numbers").open = innerWidth >= 640 && innerHeight >= 500;
$("table").open = false;
follow();
})();
