// Numbers and times as people read them. Times are milliseconds and shown in UTC.
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 86_400_000;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (number) => String(number).padStart(2, "0");
const valid = (time) => Number.isFinite(time) && Math.abs(time) <= 8.64e15;

export function when(time, { seconds = false } = {}) {
  if (!valid(time)) return "unknown";
  if (Math.abs(time) > 2.5e14) return "unbounded";
  const text = new Date(time).toISOString().replace("T", " ");
  return seconds ? text.slice(0, -5) : text.slice(0, -8);
}

export function parseTime(text) {
  const found = /^(\d{4})-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d))?)?Z?)?)?$/i.exec(text);
  if (!found) return null;
  const [year, month, day = 1, hour = 0, minute = 0, second = 0] = found.slice(1).map((part) => (part === undefined ? part : Number(part)));
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  return new Date(time).getUTCMonth() === month - 1 && hour < 24 && minute < 60 && second < 60 ? time : null;
}

export function duration(span) {
  if (span <= 0) return "0";
  const parts = [];
  let rest = Math.round(span / 1000);
  for (const [unit, size] of [["d", 86_400], ["h", 3600], ["m", 60], ["s", 1]]) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count}${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "<1s";
}

export function bytes(size) {
  let unit = 0;
  while (size >= 1024 && unit < 5) {
    size /= 1024;
    unit += 1;
  }
  return `${unit ? size.toFixed(size < 10 ? 1 : 0) : size} ${["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit]}`;
}

export function count(number) {
  return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function short(number) {
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (number >= size) return `${(number / size).toFixed(number / size < 10 ? 1 : 0)}${unit}`;
  }
  return String(number);
}

export function resolution(ms) {
  return { 0: "raw", 300000: "5m", 3600000: "1h" }[ms] ?? duration(ms);
}

export function labelsText(labels) {
  if (labels === null) return "unknown labels";
  return labels.length ? labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ") : "no external labels";
}

// --- the ruler: [time, text, is the first of a larger unit] ---

const STEPS = [MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY];

export function ticks(from, to, most) {
  const span = to - from;
  const step = STEPS.find((size) => span / size <= most);
  const marks = [];
  if (step) {
    for (let time = Math.ceil(from / step) * step; time <= to && marks.length < 100; time += step) marks.push([time, tickText(time, step), time % DAY === 0]);
    return marks;
  }
  let months = 1;
  while (span / (months * 30.4 * DAY) > most) months = { 1: 3, 3: 6, 6: 12 }[months] ?? months * 2;
  const first = new Date(from);
  let month = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months;
  for (; marks.length < 100; month += months) {
    const time = Date.UTC(Math.floor(month / 12), month % 12, 1);
    if (!(time <= to)) break;
    if (time >= from) marks.push([time, month % 12 ? `${MONTHS[month % 12]} ${Math.floor(month / 12)}` : String(month / 12), month % 12 === 0]);
  }
  return marks;
}

function tickText(time, step) {
  const date = new Date(time);
  if (step < DAY && time % DAY) return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
}
