// Wheel, drag, pinch and keys on the map.
import { RULER } from "./map.js";

const WHEEL = 0.0016;
const MOVED = 4; // px before a press is a drag

export function listen(map, { onHover, onOpen, onCursor, onClose }) {
  const { scroller, viewport } = map;
  const pointers = new Map();
  let drag = null;

  const point = (event) => {
    const box = scroller.getBoundingClientRect();
    return { x: (event.clientX - box.left) / map.unit, y: (event.clientY - box.top) / map.unit };
  };

  scroller.addEventListener("wheel", (event) => {
    const { x, y } = point(event);
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    const scrolls = scroller.scrollHeight > scroller.clientHeight + 1;
    if (event.ctrlKey || event.metaKey || event.altKey || (!sideways && (y < RULER || !scrolls))) {
      event.preventDefault();
      viewport.zoom(Math.exp(event.deltaY * WHEEL), map.time(Math.max(x, map.gutter)));
    } else if (sideways && Math.abs(sideways) >= Math.abs(event.shiftKey ? 0 : event.deltaY)) {
      event.preventDefault();
      viewport.pan((sideways / map.unit / map.width) * viewport.span);
    }
  }, { passive: false });

  scroller.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.offsetX > scroller.clientWidth) return;
    pointers.set(event.pointerId, point(event));
    drag = { x: event.clientX, y: event.clientY, moved: false, top: scroller.scrollTop };
  });

  scroller.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    const now = point(event);
    if (!before) {
      onHover(map.at(now.x, now.y), event);
      return;
    }
    if (pointers.size === 2) pinch(event.pointerId, before, now);
    else if (drag.moved || Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > MOVED) {
      if (!drag.moved) scroller.setPointerCapture(event.pointerId);
      drag.moved = true;
      scroller.classList.add("dragging");
      viewport.pan(map.time(before.x) - map.time(now.x));
      if (event.pointerType === "mouse") scroller.scrollTop = drag.top + drag.y - event.clientY;
      onHover(null, event);
    }
    pointers.set(event.pointerId, now);
  });

  function pinch(moving, before, now) {
    const [other] = [...pointers].filter(([id]) => id !== moving).map(([, place]) => place);
    const old = Math.max(Math.abs(before.x - other.x), 10);
    viewport.zoom(old / Math.max(Math.abs(now.x - other.x), 10), map.time((now.x + other.x) / 2));
    drag.moved = true;
  }

  for (const name of ["pointerup", "pointercancel"]) {
    scroller.addEventListener(name, (event) => {
      const known = pointers.delete(event.pointerId);
      scroller.classList.remove("dragging");
      if (!known || name === "pointercancel" || drag.moved) return;
      const { x, y } = point(event);
      const block = map.at(x, y);
      if (block) onOpen(block);
    });
  }
  scroller.addEventListener("pointerleave", (event) => onHover(null, event));
  scroller.addEventListener("dblclick", (event) => {
    const { x, y } = point(event);
    const block = map.at(x, y);
    if (block) viewport.show(block.min - (block.max - block.min), block.max + (block.max - block.min));
    else viewport.zoom(0.5, map.time(x));
  });

  const zooms = { "+": 0.6, "=": 0.6, "-": 1 / 0.6, _: 1 / 0.6 };
  scroller.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in zooms) viewport.zoom(zooms[event.key], map.cursor ? (map.cursor.min + map.cursor.max) / 2 : undefined);
    else if (event.key === "0") viewport.fit();
    else if (event.shiftKey && event.key === "ArrowLeft") viewport.pan(-viewport.span / 4);
    else if (event.shiftKey && event.key === "ArrowRight") viewport.pan(viewport.span / 4);
    else if (event.key === "Enter" || event.key === " ") {
      if (map.cursor) onOpen(map.cursor);
    } else if (event.key === "Escape") onClose();
    else {
      const next = neighbour(map, event.key);
      if (next === undefined) return;
      if (next) onCursor(next);
    }
    event.preventDefault();
  });
}

// The block that a key leads to: null at the edge, undefined for another key.
function neighbour(map, key) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -Infinity], End: [0, Infinity] };
  if (!(key in steps)) return undefined;
  const [down, along] = steps[key];
  const filled = map.rows.filter((row) => row.blocks.length);
  if (!filled.length) return null;
  const current = map.cursor && map.rows[map.cursor.row];
  const index = current?.blocks.indexOf(map.cursor) ?? -1;
  if (index < 0) {
    const shown = filled[0].blocks.filter((block) => block.max > map.viewport.from);
    return shown[0] ?? filled[0].blocks[0];
  }
  if (along) return current.blocks[Math.max(0, Math.min(current.blocks.length - 1, index + along))];
  const row = filled[filled.indexOf(current) + down];
  if (!row) return null;
  const middle = (map.cursor.min + map.cursor.max) / 2;
  const distance = (block) => Math.max(block.min - middle, middle - block.max, 0);
  return row.blocks.reduce((best, block) => (distance(block) < distance(best) ? block : best));
}
