// The twin of the map as a table, for those who read rather than look. Rows are made as they are asked for.
import { make } from "./make.js";
import { bytes, count, duration, resolution, when } from "./texts.js";

const PAGE = 200;
const COLUMNS = [
  ["Block", (block) => block.ulid],
  ["State", (block) => block.state],
  ["Labels", (block) => block.setName],
  ["From (UTC)", (block) => block.min],
  ["To (UTC)", (block) => block.max],
  ["Resolution", (block) => block.resolution],
  ["Level", (block) => block.level],
  ["Series", (block) => block.series],
  ["Size", (block) => block.size],
];

export class Table {
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.body = document.getElementById("table-body");
    this.more = document.getElementById("table-more");
    this.count = document.getElementById("table-count");
    this.sort = { column: 3, down: true };
    this.blocks = [];
    this.shown = PAGE;
    this.more.addEventListener("click", () => {
      this.shown += PAGE;
      this.fill();
    });
    this.heads = COLUMNS.map(([name], index) =>
      make("th", { scope: "col", class: index > 4 ? "number" : "" }, make("button", { type: "button", class: "sort", onclick: () => this.sortBy(index) }, name)));
    document.getElementById("table-head").append(...this.heads);
  }

  set(blocks) {
    this.blocks = blocks;
    this.shown = PAGE;
    this.fill();
  }

  sortBy(column) {
    this.sort = { column, down: this.sort.column === column ? !this.sort.down : column > 2 };
    this.fill();
  }

  fill() {
    if (this.body.closest("[hidden]")) return;
    const { column, down } = this.sort;
    const value = COLUMNS[column][1];
    const sorted = this.blocks.map((block) => [value(block), block]).sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x.ulid < y.ulid ? -1 : 1));
    if (down) sorted.reverse();
    this.heads.forEach((head, index) => head.setAttribute("aria-sort", index === column ? (down ? "descending" : "ascending") : "none"));
    this.body.replaceChildren(...sorted.slice(0, this.shown).map(([, block]) => this.row(block)));
    const shown = Math.min(this.shown, sorted.length);
    this.count.textContent = `${count(shown)} of ${count(sorted.length)} blocks`;
    this.more.hidden = shown === sorted.length;
  }

  row(block) {
    const placed = (text) => (block.placed ? text : "–");
    return make("tr", {},
      make("th", { scope: "row" }, make("button", { type: "button", class: "link", onclick: () => this.onOpen(block) }, block.ulid)),
      make("td", {}, make("span", { class: `tag state-${block.state}` }, block.state), block.reason ? make("span", { class: "muted reason" }, block.reason) : null),
      make("td", { class: "labelcell" }, block.setName),
      make("td", { class: "line" }, placed(when(block.min))),
      make("td", { class: "line" }, placed(when(block.max)), make("span", { class: "muted reason" }, placed(duration(block.max - block.min)))),
      make("td", { class: "number" }, placed(resolution(block.resolution))),
      make("td", { class: "number" }, placed(String(block.level))),
      make("td", { class: "number" }, placed(count(block.series))),
      make("td", { class: "number" }, bytes(block.size)));
  }
}
