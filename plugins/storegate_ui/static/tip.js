// What the pointer is over, in a few lines.
import { make } from "./make.js";
import { bytes, count, duration, resolution, when } from "./texts.js";

export class Tip {
  constructor(element) {
    this.element = element;
    this.block = null;
  }

  hide() {
    this.block = null;
    this.element.hidden = true;
  }

  show(block, x, y) {
    if (this.block !== block) this.fill(block);
    this.block = block;
    this.element.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    this.element.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
    this.element.style.top = `${y + 18 + height > innerHeight ? Math.max(4, y - height - 12) : y + 18}px`;
  }

  fill(block) {
    const time = block.placed ? `${when(block.min)} – ${when(block.max)} · ${duration(block.max - block.min)}` : "meta.json cannot be read";
    const size = `${bytes(block.size)} · ${count(block.series)} series · ${count(block.samples)} samples`;
    this.element.replaceChildren(
      make("p", {}, make("span", { class: `tag state-${block.state}` }, block.state), " ", make("code", {}, block.ulid)),
      make("p", {}, time),
      make("p", {}, block.placed ? `${resolution(block.resolution)} · level ${block.level} · ${size}` : size),
      block.reason ? make("p", { class: "reason" }, block.reason) : "",
    );
  }
}
