// @ts-check
/** The clocks of a join: how far each of its topics was read in event time, against the wall clock. */

import { h, list, table, text } from "./dom.js";
import { duration, moment } from "./format.js";

/** @typedef {import("./types.js").Funnel} Funnel */
/** @typedef {import("./types.js").Clock} Clock */

/** @param {Funnel} funnel */
export function clockPanel(funnel) {
  const lines = new Map(funnel.topics.map((topic) => [topic, h("li")]));
  const wide = table(`Clocks of ${funnel.name}`, ["partition#", "clock (UTC)", ...funnel.topics.map((topic) => `${topic} read up to`)]);
  const rows = list(wide.body, (/** @type {Clock} */ clock) => String(clock.partition), (clock) => clockRow(clock, funnel.topics));
  const details = /** @type {HTMLDetailsElement} */ (
    h("details", {}, h("summary", {}, "Clocks by partition"), wide.element)
  );
  const element = h("div", { class: "clocks" }, h("ul", { class: "quiet" }, ...lines.values()), details);
  return {
    element,
    /** @param {Funnel} now @param {number} wall (ms) */
    update(now, wall) {
      for (const [topic, line] of lines) text(line, behind(topic, now.clocks, wall));
      if (details.open) rows(now.clocks);
    },
  };
}

/**
 * Say in words how far a topic is behind the wall clock, by its partition that is the furthest.
 * @param {string} topic
 * @param {Clock[]} clocks
 * @param {number} wall
 */
export function behind(topic, clocks, wall) {
  const read = clocks.flatMap(({ partition, read }) => {
    const time = read[topic];
    return time === null || time === undefined ? [] : [{ partition, time }];
  });
  if (read.length === 0) return `${topic}: nothing was read since the start`;
  const last = read.reduce((one, other) => (other.time < one.time ? other : one));
  const first = Math.max(...read.map((one) => one.time));
  const apart = read.length > 1 ? `; partition ${last.partition}, the last one, by ${duration(first - last.time)} more` : "";
  return `${topic}: read up to ${duration(wall - first)} ${wall < first ? "ahead of" : "behind"} the wall clock${apart}`;
}

/** @param {Clock} _clock @param {string[]} topics */
function clockRow(_clock, topics) {
  const cells = [h("td", { class: "number" }), h("td", { class: "when" }), ...topics.map(() => h("td", { class: "when" }))];
  return {
    element: h("tr", {}, ...cells),
    update(/** @type {Clock} */ clock) {
      const [partition, own, ...read] = cells;
      text(partition, clock.partition);
      text(own, moment(clock.clock));
      topics.forEach((topic, at) => text(read[at], moment(clock.read[topic] ?? null)));
    },
  };
}
