// @ts-check
/** How long results take from their event times until the broker has them, and how long commits take. */

import { h, list, section, table, text } from "./dom.js";
import { count, duration } from "./format.js";
import { Buckets, quantile } from "./quantiles.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Buckets} Counted */
/** @typedef {import("./types.js").SlowRecord} SlowRecord */
/** @typedef {import("./explanation.js").Explanations} Explanations */
/** @typedef {{name: string, buckets: Counted, time: number}} Timed */

const SHARES = [0.5, 0.99, 0.999];

/** @param {Explanations} explanations */
export function latencyPanel(explanations) {
  const wide = table("Latency of the last minute", ["", "p50#", "p99#", "p99.9#", "in a minute#", "since the start#", "one of the slowest"]);
  const seen = new Buckets();
  const show = list(wide.body, (/** @type {Timed} */ one) => one.name, (one) => latencyRow(one, seen, explanations));
  const held = h("p", { class: "quiet", id: "held" });
  return {
    element: section(
      "latency",
      "Latency and commits",
      wide.element,
      held,
      h("p", { class: "quiet" }, "From the event time of a result until the broker has it, in the last minute, or since this page looks; of commits, how long each takes. Values are between two bounds of a histogram."),
    ),
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      const { time, commits } = snapshot;
      const timed = snapshot.results.map(({ topic, latency }) => ({ name: topic, buckets: latency, time }));
      if (commits !== null) timed.push({ name: "commits", buckets: commits.seconds, time });
      show(timed);
      const failed = commits?.failed ? `${count(commits.failed)} commits failed, and their work was done again. ` : "";
      text(held, `${failed}${count(snapshot.held)} fetched records wait for others; ${count(snapshot.enforced)} batches went without waiting to the end.`);
    },
  };
}

/** @param {Timed} timed @param {Buckets} seen @param {Explanations} explanations */
function latencyRow(timed, seen, explanations) {
  const cells = SHARES.map(() => h("td", { class: "number" }));
  const [lately, total] = [h("td", { class: "number" }), h("td", { class: "number", "data-latency": timed.name })];
  const slow = h("td");
  /** @type {SlowRecord | null} */
  let shown = null;
  const button = h("button", { type: "button", class: "explain", onclick: () => shown && explanations.explain({ ...shown, key: null, timestamp: null, reason: "", detail: "" }) });
  const place = h("span", { class: "code" });
  slow.append(place, " ", button);
  return {
    element: h("tr", {}, h("th", { scope: "row" }, timed.name), ...cells, lately, total, slow),
    update(/** @type {Timed} */ { name, buckets, time }) {
      const counts = seen.lately(name, buckets.counts, time);
      SHARES.forEach((share, at) => text(cells[at], counts === null ? "…" : latency(quantile(share, buckets.bounds, counts), buckets.bounds)));
      text(lately, counts === null ? "…" : count(sum(counts)));
      text(total, count(sum(buckets.counts)));
      shown = buckets.slow;
      text(place, shown === null ? "" : `${shown.topic}[${shown.partition}]@${shown.offset}, ${duration(shown.seconds * 1000)}`);
      text(button, "explain");
      button.hidden = shown === null || !shown.see;
    },
  };
}

/** @param {number[]} counts */
const sum = (counts) => counts.reduce((one, other) => one + other, 0);

/** @param {number | null} seconds @param {number[]} bounds */
function latency(seconds, bounds) {
  if (seconds === null) return "–";
  const largest = bounds[bounds.length - 1];
  return seconds > largest ? `> ${duration(largest * 1000)}` : duration(seconds * 1000);
}
