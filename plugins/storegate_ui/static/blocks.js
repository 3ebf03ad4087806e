// The page of blocks: brings data, controls, map, table and details together.
import { Controls } from "./controls.js";
import { listen } from "./gestures.js";
import { make } from "./make.js";
import { BlockMap } from "./map.js";
import { MarkDialog } from "./marking.js";
import { STATES, decode, describe, extent, findOverlaps, layout } from "./model.js";
import { Overview } from "./overview.js";
import { Palette, scaleOf } from "./palette.js";
import { Panel } from "./panel.js";
import { Table } from "./table.js";
import { Tip } from "./tip.js";
import { bytes, count, duration, short, when } from "./texts.js";
import { Viewport } from "./viewport.js";

const byId = (id) => document.getElementById(id);
const { base, refresh } = document.body.dataset;
const palette = new Palette();
const scroller = byId("scroller");
const viewport = new Viewport(() => {
  map.draw();
  overview.draw();
  byId("range").textContent = `${when(viewport.from)} – ${when(viewport.to)} (${duration(viewport.span)})`;
});
const map = new BlockMap(scroller, byId("spacer"), byId("map"), viewport, palette);
const overview = new Overview(byId("overview"), viewport, palette, STATES);
const table = new Table(open);
const tip = new Tip(byId("tip"));
const controls = new Controls(changed);
const dialog = new MarkDialog(base, (text) => {
  say(text);
  load();
});
const panel = new Panel(byId("panel"), base, { onClose: close, onSearch: (text) => controls.search(text), onOpen: open, onMark: (block, action) => dialog.ask(block, action) });
let model = { blocks: [] };
let overlaps = [];
let step = -1;
let tag = "";

function say(text) {
  byId("said").textContent = text;
}

function problem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

// --- data ---

async function load() {
  try {
    const answer = await fetch(`${base}/ui/blocks.json`, { cache: "no-cache", headers: tag ? { "If-None-Match": tag } : {} });
    if (answer.status === 304) return;
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    tag = answer.headers.get("ETag") ?? "";
    model = decode(await answer.json());
  } catch (error) {
    problem(`The gateway does not answer (${error.message}); what is shown may be old.`);
    return;
  }
  controls.showLevels([...new Set(model.blocks.filter((block) => block.placed).map((block) => block.level))].sort((a, b) => a - b));
  show();
  if (controls.opened) {
    const block = model.blocks.find((candidate) => candidate.ulid === controls.opened);
    if (block) open(block, { quietly: true });
    else close();
  }
  document.body.dataset.loaded = String(model.blocks.length);
}

function show() {
  const { test, problems } = controls.filter();
  const fitting = model.blocks.filter(test);
  let found = fitting.filter((block) => !controls.hiddenStates.has(block.state));
  overlaps = findOverlaps(found);
  if (controls.overlapsOnly) {
    const wanted = new Set(overlaps.flatMap((overlap) => [...overlap.blocks]));
    found = found.filter((block) => wanted.has(block));
  }
  const counts = {};
  for (const block of controls.overlapsOnly ? found : fitting) counts[block.state] = (counts[block.state] ?? 0) + 1;
  controls.showStates(counts);
  controls.showOverlaps(overlaps.length);
  map.colour = controls.colour;
  const scale = controls.colour === "state" ? null : scaleOf(found, controls.colour);
  if (scale) map.scale = scale;
  legend(scale);
  for (const name of ["hovered", "cursor", "opened"]) map[name] = map[name] && (model.blocks.find((block) => block.ulid === map[name].ulid) ?? null);
  map.setLayout(layout(found, model.blocks), overlaps);
  overview.set(found);
  const whole = extent(found.length ? found : model.blocks);
  viewport.setWhole(whole);
  table.set(found);
  summary(found);
  problem(problems.length ? `The search is not understood: ${problems.join("; ")}` : model.error ? `The last look at the bucket failed: ${model.error}` : "");
  document.body.dataset.shown = String(found.length);
}

function summary(found) {
  const total = (member) => found.reduce((sum, block) => sum + block[member], 0);
  const range = extent(found.filter((block) => block.placed));
  byId("summary").textContent = found.length
    ? `${count(found.length)} ${found.length === 1 ? "block" : "blocks"} · ${bytes(total("size"))} · ${short(total("samples"))} samples${range ? ` · ${when(range.min)} to ${when(range.max)} (${duration(range.max - range.min)})` : ""}`
    : "";
  const empty = byId("empty");
  empty.hidden = found.length > 0;
  empty.textContent = model.blocks.length ? "No block fits the search." : model.ready ? "The bucket holds no blocks yet." : "The gateway is still looking at the bucket.";
}

function legend(scale) {
  const entry = (kind, text) => make("span", {}, make("span", { class: `swatch ${kind}` }), text);
  const name = controls.colour === "size" ? bytes : short;
  byId("legend").replaceChildren(...(scale ? scale.bounds.map((bound, index) => entry(`scale-${index}`, `≥ ${name(Math.round(bound))}`)) : []));
}

// --- what people do ---

function changed(what) {
  if (what === "overlaps") step = -1;
  show();
  const { from, to } = controls.times;
  if (["from", "to"].includes(what)) {
    if (Number.isFinite(from) || Number.isFinite(to)) viewport.show(Math.max(from, viewport.whole.min), Math.min(to, viewport.whole.max));
    else viewport.fit();
  }
  if (["search", "clear", "overlaps"].includes(what)) viewport.fit();
  say(`${document.body.dataset.shown} blocks are shown`);
  controls.writeAddress();
}

function open(block, { quietly = false } = {}) {
  map.opened = block;
  controls.opened = block.ulid;
  panel.open(block, overlaps);
  tip.hide();
  if (!quietly) say(`Details of ${describe(block)}`);
  if (block.row >= 0 && !byId("map-view").hidden && !quietly) map.reveal(block);
  map.draw();
  controls.writeAddress();
}

function close() {
  const inside = byId("panel").contains(document.activeElement);
  panel.close();
  map.opened = null;
  controls.opened = "";
  map.draw();
  controls.writeAddress();
  if (inside) scroller.focus();
}

function hover(block, event) {
  if (block !== map.hovered) {
    map.hovered = block;
    map.draw();
  }
  scroller.classList.toggle("pointing", block !== null);
  if (block && event.pointerType !== "touch") tip.show(block, event.clientX, event.clientY);
  else tip.hide();
}

function moveCursor(block) {
  map.cursor = block;
  map.reveal(block);
  say(describe(block));
}

function stepOverlap(by) {
  if (!overlaps.length) return;
  step = (step + by + overlaps.length) % overlaps.length;
  const overlap = overlaps[step];
  const [first] = overlap.blocks;
  const margin = Math.max((overlap.max - overlap.min) * 2, 60_000);
  viewport.show(overlap.min - margin, overlap.max + margin);
  map.cursor = first;
  map.reveal(first);
  say(`Overlap ${step + 1} of ${overlaps.length}: ${overlap.blocks.size} blocks, ${when(overlap.min)} to ${when(overlap.max)}`);
}

function showView(name) {
  controls.view = name;
  for (const view of ["map", "table"]) {
    byId(`${view}-view`).hidden = view !== name;
    byId(`tab-${view}`).setAttribute("aria-selected", String(view === name));
    byId(`tab-${view}`).tabIndex = view === name ? 0 : -1;
  }
  for (const id of ["zoom", "range"]) byId(id).hidden = name !== "map";
  if (name === "table") table.fill();
  controls.writeAddress();
}

const clicks = {
  "zoom-in": () => viewport.zoom(0.6),
  "zoom-out": () => viewport.zoom(1 / 0.6),
  "zoom-fit": () => viewport.fit(),
  "pan-left": () => viewport.pan(-viewport.span / 4),
  "pan-right": () => viewport.pan(viewport.span / 4),
  "overlap-next": () => stepOverlap(1),
  "overlap-previous": () => stepOverlap(-1),
  "tab-map": () => showView("map"),
  "tab-table": () => showView("table"),
};
for (const id in clicks) byId(id).addEventListener("click", clicks[id]);
for (const [id, other] of [["tab-map", "table"], ["tab-table", "map"]]) {
  byId(id).addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    showView(other);
    byId(`tab-${other}`).focus();
  });
}
listen(map, { onHover: hover, onOpen: open, onCursor: moveCursor, onClose: close });
scroller.addEventListener("blur", () => {
  map.cursor = null;
  map.draw();
});
addEventListener("themechange", () => {
  palette.refresh();
  map.draw();
  overview.draw();
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, select, textarea")) return;
  event.preventDefault();
  byId("search").focus();
});
document.addEventListener("visibilitychange", () => document.hidden || load());
showView(controls.view);
await load();
if (Number.isFinite(controls.times.from) || Number.isFinite(controls.times.to)) changed("from");
if (Number(refresh) > 0) setInterval(() => document.hidden || load(), Number(refresh) * 1000);
