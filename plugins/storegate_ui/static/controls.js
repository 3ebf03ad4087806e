// The fields above the map: what they say, and how that is kept in the address of the page.
import { make } from "./make.js";
import { STATES, parseSearch } from "./model.js";
import { count, parseTime, when } from "./texts.js";

const byId = (id) => document.getElementById(id);

export class Controls {
  constructor(onChange) {
    this.hiddenStates = new Set();
    this.overlapsOnly = false;
    this.opened = "";
    this.view = "map";
    this.readAddress();
    for (const id of ["search", "from", "to", "resolution", "level", "colour"]) byId(id).addEventListener("input", () => onChange(id));
    byId("tools").addEventListener("submit", (event) => event.preventDefault());
    byId("tools").addEventListener("reset", (event) => {
      event.preventDefault();
      for (const id of ["search", "from", "to", "resolution", "level"]) byId(id).value = "";
      this.hiddenStates.clear();
      this.overlapsOnly = false;
      onChange("clear");
    });
    byId("overlaps").addEventListener("click", () => {
      this.overlapsOnly = !this.overlapsOnly;
      onChange("overlaps");
    });
    this.onChange = onChange;
  }

  get colour() {
    return byId("colour").value;
  }

  get times() {
    const [from, to] = ["from", "to"].map((id) => parseTime(byId(id).value.trim()));
    return { from: from ?? -Infinity, to: to ?? Infinity };
  }

  search(text) {
    byId("search").value = text;
    this.onChange("search");
  }

  // Which blocks are shown, all but the states; and what is wrong with the search.
  filter() {
    const { matches, problems } = parseSearch(byId("search").value.trim());
    const resolution = byId("resolution").value;
    const level = byId("level").value;
    const { from, to } = this.times;
    for (const id of ["from", "to"]) {
      const wrong = byId(id).value.trim() !== "" && parseTime(byId(id).value.trim()) === null;
      byId(id).setAttribute("aria-invalid", String(wrong));
      if (wrong) problems.push(`${byId(id).value} is no time such as 2026-11-20 12:00`);
    }
    const test = (block) =>
      (resolution === "" || block.resolution === Number(resolution)) &&
      (level === "" || block.level === Number(level)) &&
      block.min < to && (block.max > from || block.min >= from) && matches(block);
    return { test, problems };
  }

  showLevels(levels) {
    const select = byId("level");
    const wanted = select.value || this.wantedLevel || "";
    const texts = [...select.options].slice(1).map((option) => option.value);
    if (texts.join() === levels.join()) return;
    select.replaceChildren(select.options[0], ...levels.map((level) => make("option", { value: level }, String(level))));
    select.value = levels.includes(Number(wanted)) && wanted !== "" ? wanted : "";
    this.wantedLevel = "";
  }

  showStates(counts) {
    const chips = byId("chips");
    const focused = document.activeElement?.dataset?.state;
    chips.replaceChildren(...STATES.filter((state) => counts[state] || state === "loaded" || this.hiddenStates.has(state)).map((state) =>
      make("button", { type: "button", class: "chip", "data-state": state, "aria-pressed": String(!this.hiddenStates.has(state)), onclick: () => this.toggle(state) },
        make("span", { class: `swatch state-${state}`, "aria-hidden": "true" }), `${state} `, make("strong", {}, count(counts[state] ?? 0)))));
    if (focused) chips.querySelector(`[data-state="${focused}"]`)?.focus();
  }

  toggle(state) {
    if (!this.hiddenStates.delete(state)) this.hiddenStates.add(state);
    this.onChange("states");
  }

  showOverlaps(number) {
    byId("overlap-count").textContent = count(number);
    byId("overlap-count").classList.toggle("some", number > 0);
    byId("overlaps").setAttribute("aria-pressed", String(this.overlapsOnly));
    byId("overlap-steps").hidden = !this.overlapsOnly || number === 0;
  }

  // --- the address: the names of the reference's UI, where it has them ---

  readAddress() {
    const given = new URLSearchParams(location.search);
    byId("search").value = given.get("q") ?? given.get("ulid") ?? "";
    for (const [id, name] of [["from", "min-time"], ["to", "max-time"]]) {
      const text = given.get(name) ?? "";
      const time = /^-?\d+$/.test(text) ? Number(text) : parseTime(text);
      byId(id).value = text && time !== null ? when(time) : "";
    }
    byId("resolution").value = given.get("resolution") ?? "";
    this.wantedLevel = given.get("filter-compaction") === "false" ? "" : (given.get("compaction-level") ?? "");
    if (["size", "series"].includes(given.get("colour"))) byId("colour").value = given.get("colour");
    this.overlapsOnly = given.get("find-overlapping") === "true";
    this.hiddenStates = new Set((given.get("hide") ?? "").split(",").filter((state) => STATES.includes(state)));
    this.opened = given.get("block") ?? "";
    this.view = given.get("view") === "table" ? "table" : "map";
  }

  writeAddress() {
    const { from, to } = this.times;
    const level = byId("level").value;
    const values = {
      q: byId("search").value.trim(),
      "min-time": Number.isFinite(from) ? from : "",
      "max-time": Number.isFinite(to) ? to : "",
      resolution: byId("resolution").value,
      "filter-compaction": level && "true",
      "compaction-level": level,
      "find-overlapping": this.overlapsOnly ? "true" : "",
      hide: [...this.hiddenStates].join(),
      colour: this.colour === "state" ? "" : this.colour,
      block: this.opened,
      view: this.view === "table" ? "table" : "",
    };
    const kept = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== ""));
    history.replaceState(null, "", kept.size ? `?${kept}` : location.pathname);
  }
}
