// The stretch of time that is shown, and how it moves.
import { DAY, MINUTE } from "./texts.js";

export class Viewport {
  constructor(onChange) {
    this.onChange = onChange;
    this.whole = { min: Date.now() - 14 * DAY, max: Date.now() }; // until there are blocks
    this.from = this.whole.min;
    this.to = this.whole.max;
    this.fitted = true;
  }

  get span() {
    return this.to - this.from;
  }

  setWhole(extent) {
    if (!extent) return;
    const margin = (extent.max - extent.min) * 0.02;
    this.whole = { min: extent.min - margin, max: extent.max + margin };
    if (this.fitted) this.fit();
    else this.show(this.from, this.to);
  }

  fit() {
    this.show(this.whole.min, this.whole.max);
    this.fitted = true;
  }

  show(from, to) {
    const room = this.whole.max - this.whole.min;
    const span = Math.min(Math.max(to - from, MINUTE), room);
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(middle - span / 2, this.whole.min), this.whole.max - span);
    this.to = this.from + span;
    this.fitted = span >= room;
    this.onChange();
  }

  zoom(factor, at = (this.from + this.to) / 2) {
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(time) {
    this.show(this.from + time, this.to + time);
  }

  reveal(min, max) {
    if (min >= this.from && max <= this.to) return;
    if (max - min > this.span * 0.9) this.show(min - (max - min) * 0.1, max + (max - min) * 0.1);
    else if (min < this.from) this.pan(min - this.from - this.span * 0.1);
    else this.pan(max - this.to + this.span * 0.1);
  }
}
