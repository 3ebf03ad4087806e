// Colours of the map, taken from the style sheet so that both themes have their own, and patterns beside the colours.
import { STATES } from "./model.js";

export const SCALE_STEPS = 6;

export class Palette {
  constructor() {
    this.refresh();
  }

  refresh() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(`--${name}`).trim();
    this.text = read("text");
    this.muted = read("muted");
    this.line = read("line");
    this.surface = read("surface");
    this.raised = read("raised");
    this.focus = read("focus");
    this.alarm = read("quarantined");
    this.onBar = read("on-bar");
    this.font = style.fontFamily || "system-ui, sans-serif";
    this.states = Object.fromEntries(STATES.map((state) => [state, read(state)]));
    this.inks = Object.fromEntries(STATES.map((state) => [state, read(`on-${state}`) || this.onBar]));
    this.scale = Array.from({ length: SCALE_STEPS }, (_, step) => read(`scale-${step}`));
    this.scaleInks = Array.from({ length: SCALE_STEPS }, (_, step) => read(`on-scale-${step}`));
    this.hatches = {};
  }

  // Diagonal lines over bars of these states: colour alone does not tell them apart for everyone.
  hatch(context, state) {
    if (!["filtered", "loading", "quarantined", "unreadable"].includes(state)) return null;
    if (!this.hatches[state]) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 8;
      const brush = tile.getContext("2d");
      brush.strokeStyle = this.surface;
      brush.globalAlpha = state === "filtered" ? 0.55 : 0.35;
      brush.lineWidth = 1.6;
      brush.beginPath();
      const falling = state === "quarantined" || state === "unreadable";
      for (const shift of [-8, 0, 8]) {
        brush.moveTo(shift, falling ? 0 : 8);
        brush.lineTo(shift + 8, falling ? 8 : 0);
      }
      brush.stroke();
      this.hatches[state] = context.createPattern(tile, "repeat");
    }
    return this.hatches[state];
  }
}

// A logarithmic scale of a number of blocks: which of SCALE_STEPS steps one is on, and where the steps begin.
export function scaleOf(blocks, member) {
  let low = Infinity;
  let high = 0;
  for (const block of blocks) {
    const value = block[member];
    if (value > 0 && value < low) low = value;
    if (value > high) high = value;
  }
  if (!(low <= high)) return { step: () => 0, bounds: [0] };
  const span = Math.log(high / low) || 1;
  const step = (block) => Math.max(0, Math.min(SCALE_STEPS - 1, Math.floor((Math.log((block[member] || low) / low) / span) * SCALE_STEPS)));
  const bounds = Array.from({ length: SCALE_STEPS }, (_, index) => low * Math.exp((span * index) / SCALE_STEPS));
  return { step, bounds: high > low ? bounds : [low] };
}
