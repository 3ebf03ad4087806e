// Draws the map on one canvas that stays in view while the rows scroll, so its cost is that of what is seen.
import { SIZES, firstAfter } from "./model.js";
import { bytes, duration, short, ticks, when } from "./texts.js";

const FONT = 14; // px; the map grows with the letters of the page
export const RULER = 28;
const LEAST_BAR = 2.5; // px

export class BlockMap {
  constructor(scroller, spacer, canvas, viewport, palette) {
    Object.assign(this, { scroller, spacer, canvas, viewport, palette });
    this.context = canvas.getContext("2d");
    this.content = 0;
    this.rows = [];
    this.overlaps = [];
    this.colour = "state";
    this.scale = { step: () => 0 };
    this.hovered = this.cursor = this.opened = null;
    this.pending = 0;
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.resize()).observe(scroller);
    this.resize();
  }

  // All lengths below are in units of the map: pixels of a page with letters of the usual size.
  get top() {
    return this.scroller.scrollTop / this.unit;
  }

  set top(y) {
    this.scroller.scrollTop = y * this.unit;
  }

  get gutter() {
    return this.width < 560 ? 48 : 68;
  }

  setLayout({ rows, height }, overlaps) {
    this.rows = rows;
    this.overlaps = overlaps;
    this.content = height;
    this.spacer.style.height = `${(height + RULER) * this.unit}px`;
    this.draw();
  }

  resize() {
    const { clientWidth, clientHeight } = this.scroller;
    const ratio = window.devicePixelRatio || 1;
    this.unit = parseFloat(getComputedStyle(document.documentElement).fontSize) / FONT;
    this.width = clientWidth / this.unit;
    this.height = clientHeight / this.unit;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.canvas.style.width = `${clientWidth}px`;
    this.canvas.style.height = `${clientHeight}px`;
    this.spacer.style.height = `${(this.content + RULER) * this.unit}px`;
    this.ratio = ratio * this.unit;
    this.paint();
  }

  // --- where things are ---

  x(time) {
    return this.gutter + ((time - this.viewport.from) / this.viewport.span) * (this.width - this.gutter);
  }

  time(x) {
    return this.viewport.from + ((x - this.gutter) / (this.width - this.gutter)) * this.viewport.span;
  }

  at(x, y) {
    if (y < RULER || x < this.gutter) return null;
    const below = y - RULER + this.top;
    const row = this.rows[firstAfter(this.rows, (candidate) => candidate.y > below) - 1];
    if (!row || below > row.y + row.height) return null;
    const next = firstAfter(row.blocks, (block) => this.x(block.min) > x);
    for (const block of [row.blocks[next - 1], row.blocks[next]]) {
      if (block && x >= this.x(block.min) - 1 && x <= Math.max(this.x(block.max), this.x(block.min) + LEAST_BAR) + 1) return block;
    }
    return null;
  }

  place(block) {
    const row = this.rows[block.row];
    const y = row.y - this.top + RULER;
    return { left: this.x(block.min), right: Math.max(this.x(block.max), this.x(block.min) + LEAST_BAR), top: y, bottom: y + SIZES.bar };
  }

  reveal(block) {
    this.viewport.reveal(block.min, block.max);
    const { y } = this.rows[block.row];
    const { top } = this;
    if (y < top + SIZES.header) this.top = Math.max(0, y - SIZES.header * 2);
    else if (y + SIZES.row > top + this.height - RULER) this.top = y + SIZES.row * 2 - this.height + RULER;
    this.draw();
  }

  // --- drawing ---

  draw() {
    this.pending ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.pending);
    this.pending = 0;
    const { context, palette } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = palette.surface;
    context.fillRect(0, 0, this.width, this.height);
    context.textBaseline = "middle";
    const marks = ticks(this.viewport.from, this.viewport.to, Math.max(2, (this.width - this.gutter) / 72));
    this.paintGrid(marks);
    this.paintRows();
    this.paintRuler(marks);
  }

  paintGrid(marks) {
    const { context, palette } = this;
    for (const [time, , strong] of marks) {
      context.fillStyle = palette.line;
      context.globalAlpha = strong ? 1 : 0.55;
      context.fillRect(Math.round(this.x(time)), RULER, 1, this.height);
    }
    context.globalAlpha = 1;
    const now = this.x(Date.now());
    if (now > this.gutter && now < this.width) {
      context.fillStyle = palette.focus;
      context.fillRect(Math.round(now), RULER, 1, this.height);
    }
  }

  paintRows() {
    const { context } = this;
    const { top } = this;
    const first = Math.max(0, firstAfter(this.rows, (row) => row.y + row.height >= top));
    context.save();
    context.beginPath();
    context.rect(0, RULER, this.width, this.height);
    context.clip();
    for (let index = first; index < this.rows.length; index += 1) {
      const row = this.rows[index];
      const y = row.y - top + RULER;
      if (y > this.height) break;
      if (row.group === undefined) this.paintRow(row, y);
      else this.paintHeader(row, y);
    }
    for (const [block, width] of [[this.hovered, 1.5], [this.opened, 2], [this.cursor, 2.5]]) if (block) this.paintOutline(block, width);
    this.paintOverlaps(top);
    context.restore();
  }

  paintHeader(row, y) {
    const { context, palette } = this;
    context.fillStyle = palette.raised;
    context.fillRect(0, y, this.width, row.height - 4);
    context.font = `600 12.5px ${palette.font}`;
    context.fillStyle = palette.text;
    const count = `${row.total} ${row.total === 1 ? "block" : "blocks"}`;
    const room = this.width - context.measureText(count).width - 36;
    context.fillText(fitted(context, row.group, room), 10, y + row.height / 2 - 1.5);
    context.font = `12px ${palette.font}`;
    context.fillStyle = palette.muted;
    context.textAlign = "right";
    context.fillText(count, this.width - 12, y + row.height / 2 - 1.5);
    context.textAlign = "left";
  }

  paintRow(row, y) {
    const { context, palette, viewport } = this;
    if (row.label) {
      context.font = `11.5px ${palette.font}`;
      context.fillStyle = palette.muted;
      context.fillText(row.label, 10, y + SIZES.bar / 2 + 1);
    }
    context.save();
    context.beginPath();
    context.rect(this.gutter, y - 2, this.width, row.height + 2);
    context.clip();
    for (let index = firstAfter(row.blocks, (block) => block.max > viewport.from || block.min >= viewport.from); index < row.blocks.length; index += 1) {
      const block = row.blocks[index];
      if (block.min > viewport.to) break;
      this.paintBlock(block, y);
    }
    context.restore();
  }

  paintBlock(block, y) {
    const { context, palette } = this;
    const left = Math.max(this.x(block.min), this.gutter - 8);
    const right = Math.min(Math.max(this.x(block.max) - 1, this.x(block.min) + LEAST_BAR - 1), this.width + 8);
    const width = right - left;
    const step = this.scale.step(block);
    context.fillStyle = this.colour === "state" ? palette.states[block.state] : palette.scale[step];
    context.beginPath();
    if (width > 6) context.roundRect(left, y, width, SIZES.bar, 3);
    else context.rect(left, y, width, SIZES.bar);
    context.fill();
    const hatch = palette.hatch(context, block.state);
    if (hatch) {
      context.fillStyle = hatch;
      context.fill();
    }
    if (width > 44) this.paintText(block, left, right, y, step);
  }

  paintText(block, left, right, y, step) {
    const { context, palette } = this;
    const from = Math.max(left, this.gutter) + 6;
    const room = Math.min(right, this.width) - from - 5;
    context.font = `500 11px ${palette.font}`;
    const text = [`${duration(block.max - block.min)} · ${bytes(block.size)} · ${short(block.series)} series`, `${bytes(block.size)} · ${short(block.series)}`, bytes(block.size)]
      .find((candidate) => context.measureText(candidate).width <= room);
    if (!text || !block.placed) return;
    if (palette.hatch(context, block.state)) { // letters are hard to read on lines
      context.fillStyle = this.colour === "state" ? palette.states[block.state] : palette.scale[step];
      context.fillRect(from - 3, y + 1, context.measureText(text).width + 6, SIZES.bar - 2);
    }
    context.fillStyle = this.colour === "state" ? palette.inks[block.state] : palette.scaleInks[step];
    context.fillText(text, from, y + SIZES.bar / 2 + 0.5);
  }

  paintOverlaps(top) {
    const { context, palette } = this;
    context.fillStyle = palette.alarm;
    for (const overlap of this.overlaps) {
      if (overlap.max < this.viewport.from || overlap.min > this.viewport.to) continue;
      for (const block of overlap.blocks) {
        const row = this.rows[block.row];
        if (!row) continue;
        const y = row.y - top + RULER;
        if (y < 0 || y > this.height) continue;
        const left = Math.max(this.x(Math.max(overlap.min, block.min)), this.gutter);
        const right = this.x(Math.min(overlap.max, block.max));
        if (right > left) context.fillRect(left, y + SIZES.bar, Math.max(right - left - 1, 2), 2.5);
      }
    }
  }

  paintOutline(block, width) {
    if (!this.rows[block.row]) return;
    const { context, palette } = this;
    const { left, right, top } = this.place(block);
    const from = Math.max(left, this.gutter);
    if (right < this.gutter) return;
    context.strokeStyle = block === this.cursor || block === this.opened ? palette.focus : palette.text;
    context.lineWidth = width;
    context.beginPath();
    context.roundRect(from - 1.5, top - 1.5, Math.min(right, this.width + 9) - from + 2, SIZES.bar + 3, 4);
    context.stroke();
  }

  paintRuler(marks) {
    const { context, palette } = this;
    context.fillStyle = palette.surface;
    context.fillRect(0, 0, this.width, RULER);
    context.fillStyle = palette.line;
    context.fillRect(0, RULER - 1, this.width, 1);
    context.fillStyle = palette.muted;
    context.font = `11.5px ${palette.font}`;
    context.fillText("UTC", 10, RULER / 2);
    let free = this.gutter;
    for (const [time, text, strong] of marks) {
      context.font = `${strong ? 600 : 400} 11.5px ${palette.font}`;
      context.fillStyle = strong ? palette.text : palette.muted;
      const x = this.x(time) + 4;
      const width = context.measureText(text).width;
      if (x < free || x + width > this.width - 2) continue;
      context.fillText(text, x, RULER / 2);
      free = x + width + 10;
    }
    if (free === this.gutter) context.fillText(when(this.viewport.from), this.gutter + 4, RULER / 2);
  }
}

function fitted(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= room) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}
