// Details of one block beside the map.
import { make } from "./make.js";
import { created } from "./model.js";
import { DAY, HOUR, bytes, count, duration, resolution, when } from "./texts.js";

export class Panel {
  constructor(element, base, { onClose, onSearch, onOpen, onMark }) {
    Object.assign(this, { element, base, onClose, onSearch, onOpen, onMark });
    this.block = null;
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") onClose();
    });
  }

  close() {
    this.block = null;
    this.element.hidden = true;
  }

  async open(block, overlaps) {
    this.block = block;
    this.element.hidden = false;
    this.fill(block, null, overlaps);
    try {
      const answer = await fetch(`${this.base}/ui/blocks/${block.ulid}.json`);
      const known = answer.ok ? await answer.json() : null;
      if (this.block === block && known) this.fill(block, known, overlaps);
    } catch {
      // the rows of the map are shown; the banner says that the gateway does not answer
    }
  }

  fill(block, known, overlaps) {
    const focused = this.element.contains(document.activeElement) ? document.activeElement.dataset.key : "";
    const others = overlaps.filter((overlap) => overlap.blocks.has(block)).flatMap((overlap) => [...overlap.blocks]).filter((other) => other !== block);
    this.element.replaceChildren(
      make("header", {}, make("h2", {}, make("span", { class: `tag state-${block.state}` }, block.state)), make("button", { type: "button", class: "quiet", "data-key": "close", "aria-label": "Close the details", onclick: this.onClose }, "✕")),
      make("code", { class: "ulid" }, block.ulid),
      ...this.why(block, known),
      this.facts(block, known),
      this.labels(block),
      ...this.overlapping([...new Set(others)]),
      this.buttons(block, known),
      ...this.document(known),
    );
    if (focused) this.element.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  why(block, known) {
    const lines = [];
    if (block.state === "filtered") lines.push(`Not served: the filter ${block.filter} left it out (${block.reason.replace(/ \([^)]*\)$/, "")}).`);
    else if (block.reason) lines.push(block.reason);
    if (known?.quarantined) lines.push(`Since ${when(known.quarantined.since)} UTC, tried ${known.quarantined.tries} ${known.quarantined.tries === 1 ? "time" : "times"}.`);
    if (block.deletion) lines.push(`Marked for deletion on ${when(block.deletion)} UTC${known?.deletion?.details ? `: ${known.deletion.details}` : "."}`);
    if (block.noCompact) lines.push("Marked as not to be compacted.");
    return lines.map((line) => make("p", { class: "why" }, line));
  }

  facts(block, known) {
    const span = block.max - block.min;
    const files = known?.meta?.thanos?.files ?? [];
    const sizeOf = (test) => files.filter((file) => test(file.rel_path ?? "")).reduce((sum, file) => sum + (file.size_bytes ?? 0), 0);
    const rows = block.placed
      ? [["From", `${when(block.min, { seconds: true })} UTC`], ["To", `${when(block.max, { seconds: true })} UTC`], ["Duration", duration(span)], ["Series", count(block.series)], ["Samples", count(block.samples)], ["Chunks", count(block.chunks)], ["Size", bytes(block.size)]]
      : [["Size", bytes(block.size)]];
    if (files.length) rows.push(["Index", bytes(sizeOf((path) => path === "index"))], ["Chunk files", bytes(sizeOf((path) => path.startsWith("chunks/")))]);
    if (block.placed && span >= HOUR) rows.push(["Size per day", bytes(Math.round((block.size / span) * DAY))]);
    if (block.placed) rows.push(["Resolution", resolution(block.resolution)], ["Level", String(block.level)], ["Source", block.source || "unknown"]);
    rows.push(["Created", `${when(created(block.ulid), { seconds: true })} UTC`]);
    if (block.uploaded) rows.push(["Uploaded", `${when(block.uploaded, { seconds: true })} UTC`]);
    const sources = known?.meta?.compaction?.sources?.length;
    if (sources) rows.push(["Made of", `${sources} ${sources === 1 ? "block" : "blocks"}`]);
    return make("dl", {}, rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }

  labels(block) {
    const pairs = block.labels ?? [];
    if (!pairs.length) return make("p", { class: "muted" }, block.labels ? "No external labels." : "Its labels are unknown.");
    return make("ul", { class: "labels", "aria-label": "External labels" }, pairs.map(([name, value]) =>
      make("li", {}, make("button", { type: "button", title: "Search for this label", onclick: () => this.onSearch(`${name}=${/[\s"]/.test(value) ? `"${value}"` : value}`) }, `${name}="${value}"`))));
  }

  overlapping(others) {
    if (!others.length) return [];
    return [
      make("h3", {}, `Overlaps with ${others.length} ${others.length === 1 ? "block" : "blocks"}`),
      make("ul", { class: "plain" }, others.slice(0, 20).map((other) => make("li", {}, make("button", { type: "button", class: "link", onclick: () => this.onOpen(other) }, other.ulid)))),
    ];
  }

  buttons(block, known) {
    const buttons = [];
    if (known?.meta) buttons.push(make("a", { class: "button", href: `${this.base}/ui/blocks/${block.ulid}/meta.json`, download: `${block.ulid}.meta.json`, "data-key": "download" }, "Download meta.json"));
    if (document.body.dataset.admin === "yes") {
      if (!block.deletion) buttons.push(make("button", { type: "button", class: "danger", "data-key": "DELETION", onclick: () => this.onMark(block, "DELETION") }, "Mark for deletion…"));
      if (!block.noCompact) buttons.push(make("button", { type: "button", "data-key": "NO_COMPACTION", onclick: () => this.onMark(block, "NO_COMPACTION") }, "Mark as no-compact…"));
    }
    return make("p", { class: "buttons" }, buttons);
  }

  document(known) {
    if (!known?.meta) return [];
    return [make("details", {}, make("summary", {}, "meta.json"), make("pre", { tabindex: "0" }, JSON.stringify(known.meta, null, 2)))];
  }
}
