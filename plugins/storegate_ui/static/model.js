// The blocks: decoded, searched, overlaps found, laid out in groups, lanes and rows. Nothing here touches the page.
import { duration, labelsText, parseTime, resolution } from "./texts.js";

export const STATES = ["loaded", "loading", "marked", "filtered", "quarantined", "unreadable"];
const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

export function created(ulid) {
  let time = 0;
  for (const letter of ulid.slice(0, 10)) time = time * 32 + CROCKFORD.indexOf(letter);
  return time;
}

export function decode(answer) {
  const columns = Object.fromEntries(answer.columns.map((name, index) => [name, index]));
  const names = answer.sets.map(labelsText);
  const blocks = answer.blocks.map((row) => {
    const block = {};
    for (const name in columns) block[name] = row[columns[name]];
    block.labels = answer.sets[block.set];
    block.setName = names[block.set];
    block.state = answer.states[block.state];
    block.reason = answer.reasons[block.reason];
    block.filter = answer.filters[block.filter];
    block.source = answer.sources[block.source];
    block.placed = block.min !== null; // one without a meta.json that can be read stands where it was created
    if (!block.placed) block.min = block.max = created(block.ulid);
    block.group = groupOf(block, answer.group);
    block.text = `${block.ulid}\n${(block.labels ?? []).map((pair) => pair.join("=")).join("\n")}\n${block.state}\n${block.reason}\n${block.source}`.toLowerCase();
    return block;
  });
  return { ...answer, blocks };
}

function groupOf(block, label) {
  if (block.labels === null) return "meta.json cannot be read";
  if (!label) return block.setName;
  const found = block.labels.find(([name]) => name === label);
  return `${label}=${JSON.stringify(found ? found[1] : "")}`;
}

// --- search ---

export function parseSearch(text) {
  const problems = [];
  const tests = (text.match(/(?:"[^"]*"|\S)+/g) ?? []).map((word) => {
    const label = /^([A-Za-z_]\w*)(=~|!~|!=|=)(.*)$/s.exec(word);
    if (label) return labelTest(label[1], label[2], unquoted(label[3]), problems);
    const time = parseTime(word);
    if (time !== null) return (block) => block.min <= time && time < block.max;
    const wanted = unquoted(word).toLowerCase();
    return (block) => block.text.includes(wanted);
  });
  return { matches: (block) => tests.every((test) => test(block)), problems };
}

function unquoted(text) {
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

function labelTest(name, sign, wanted, problems) {
  const value = (block) => block.labels?.find((pair) => pair[0] === name)?.[1] ?? "";
  if (sign === "=") return (block) => value(block) === wanted;
  if (sign === "!=") return (block) => value(block) !== wanted;
  try {
    const pattern = new RegExp(`^(?:${wanted})$`, "s");
    return (block) => pattern.test(value(block)) === (sign === "=~");
  } catch (error) {
    problems.push(`${name}${sign}${wanted}: ${error.message}`);
    return () => false;
  }
}

// --- overlaps: stretches of time that two blocks of one label set and resolution both cover and serve ---

export function findOverlaps(blocks) {
  const pools = new Map();
  for (const block of blocks) {
    if (!block.placed || block.state === "filtered") continue;
    const key = `${block.set}/${block.resolution}`;
    if (!pools.has(key)) pools.set(key, []);
    pools.get(key).push(block);
  }
  const found = [];
  for (const pool of pools.values()) {
    pool.sort((a, b) => a.min - b.min || a.max - b.max);
    let current = null;
    let last = null; // the block that reaches furthest
    for (const block of pool) {
      if (last && block.min < last.max) {
        if (!current || block.min >= current.max) found.push((current = { min: block.min, max: 0, blocks: new Set() }));
        current.blocks.add(last).add(block);
        current.max = Math.max(current.max, Math.min(last.max, block.max));
      }
      if (!last || block.max > last.max) last = block;
    }
  }
  return found.sort((a, b) => a.min - b.min);
}

// --- layout: rows from top to bottom, each with blocks that do not touch one another ---

export const SIZES = { header: 26, row: 20, bar: 16, lane: 5, group: 8 };

export function layout(blocks, all = blocks) {
  for (const block of all) block.row = -1;
  const groups = new Map();
  for (const block of blocks) {
    if (!groups.has(block.group)) groups.set(block.group, new Map());
    const lanes = groups.get(block.group);
    const key = block.placed ? `${String(block.resolution).padStart(8, "0")}/${String(block.level).padStart(6, "0")}` : "";
    if (!lanes.has(key)) lanes.set(key, []);
    lanes.get(key).push(block);
  }
  const rows = [];
  let y = 0;
  for (const name of [...groups.keys()].sort()) {
    const lanes = groups.get(name);
    const total = [...lanes.values()].reduce((sum, lane) => sum + lane.length, 0);
    rows.push({ y, height: SIZES.header, group: name, total, blocks: [] });
    y += SIZES.header;
    for (const key of [...lanes.keys()].sort()) {
      const lane = lanes.get(key);
      const [first] = lane;
      const label = first.placed ? `${resolution(first.resolution)} L${first.level}` : "–";
      for (const [index, packed] of pack(lane).entries()) {
        for (const block of packed) block.row = rows.length;
        rows.push({ y, height: SIZES.row, label: index ? "" : label, blocks: packed });
        y += SIZES.row;
      }
      y += SIZES.lane;
    }
    y += SIZES.group;
  }
  return { rows, height: y };
}

function pack(lane) {
  const rows = [];
  for (const block of [...lane].sort((a, b) => a.min - b.min || b.max - a.max)) {
    const row = rows.find((candidate) => candidate.at(-1).max <= block.min && candidate.at(-1).min < block.min);
    if (row) row.push(block);
    else rows.push([block]);
  }
  return rows;
}

export function firstAfter(list, test) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(list[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function extent(blocks) {
  let min = Infinity;
  let max = -Infinity;
  for (const block of blocks) {
    if (block.min < min) min = block.min;
    if (block.max > max) max = block.max;
  }
  return min <= max ? { min, max: Math.max(max, min + 60_000) } : null;
}

export function describe(block) {
  const why = block.reason ? `, ${block.reason}` : "";
  if (!block.placed) return `Block ${block.ulid}, ${block.state}${why}`;
  return `Block ${block.ulid}, ${block.state}${why}, ${block.setName}, ${resolution(block.resolution)}, level ${block.level}, ${duration(block.max - block.min)}`;
}
