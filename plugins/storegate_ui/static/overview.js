// The strip above the map: all of the time at once, and a window on it that can be moved and drawn.
const EDGE = 3; // px; a press that moves less is a click

export class Overview {
  constructor(canvas, viewport, palette, states) {
    Object.assign(this, { canvas, viewport, palette, states });
    this.context = canvas.getContext("2d");
    this.blocks = [];
    this.pending = 0;
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    let press = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      const time = this.time(event.offsetX);
      const inside = !viewport.fitted && time > viewport.from && time < viewport.to;
      press = { x: event.offsetX, time, inside, last: time };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!press || Math.abs(event.offsetX - press.x) < EDGE) return;
      const time = this.time(event.offsetX);
      if (press.inside) viewport.pan(time - press.last);
      else viewport.show(Math.min(press.time, time), Math.max(press.time, time));
      press.last = time;
    });
    canvas.addEventListener("pointerup", (event) => {
      if (press && Math.abs(event.offsetX - press.x) < EDGE) viewport.show(press.time - viewport.span / 2, press.time + viewport.span / 2);
      press = null;
    });
  }

  time(x) {
    const { min, max } = this.viewport.whole;
    return min + (x / this.width) * (max - min);
  }

  set(blocks) {
    this.blocks = blocks;
    this.draw();
  }

  draw() {
    this.pending ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.pending = 0;
    const { canvas, context, palette, viewport } = this;
    const ratio = window.devicePixelRatio || 1;
    this.width = canvas.parentElement.clientWidth;
    const height = 34;
    canvas.width = Math.round(this.width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${this.width}px`;
    canvas.style.height = `${height}px`;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = palette.raised;
    context.fillRect(0, 0, this.width, height);
    this.paintCounts(height);
    const scale = this.width / (viewport.whole.max - viewport.whole.min);
    const left = (viewport.from - viewport.whole.min) * scale;
    const right = (viewport.to - viewport.whole.min) * scale;
    context.fillStyle = palette.surface;
    context.globalAlpha = 0.72;
    context.fillRect(0, 0, left, height);
    context.fillRect(right, 0, this.width - right, height);
    context.globalAlpha = 1;
    context.strokeStyle = palette.focus;
    context.lineWidth = 2;
    if (!viewport.fitted) context.strokeRect(left + 1, 1, Math.max(right - left - 2, 2), height - 2);
  }

  // How many blocks of each state cover each pixel: sums of what begins and ends there.
  paintCounts(height) {
    const { min, max } = this.viewport.whole;
    const columns = Math.max(1, Math.floor(this.width / 2));
    const column = (time) => Math.max(0, Math.min(columns, Math.floor(((time - min) / (max - min)) * columns)));
    const changes = Object.fromEntries(this.states.map((state) => [state, new Int32Array(columns + 2)]));
    for (const block of this.blocks) {
      const first = column(block.min);
      changes[block.state][first] += 1;
      changes[block.state][Math.max(column(block.max), first + 1)] -= 1;
    }
    const counts = this.states.map((state) => {
      let sum = 0;
      return changes[state].map((change) => (sum += change));
    });
    let most = 1;
    for (let x = 0; x < columns; x += 1) most = Math.max(most, counts.reduce((sum, list) => sum + list[x], 0));
    const step = this.width / columns;
    for (let x = 0; x < columns; x += 1) {
      let base = height;
      for (const [index, state] of this.states.entries()) {
        const tall = (counts[index][x] / most) * (height - 5);
        if (!tall) continue;
        this.context.fillStyle = this.palette.states[state];
        this.context.fillRect(x * step, base - tall, step, tall);
        base -= tall;
      }
    }
  }
}
