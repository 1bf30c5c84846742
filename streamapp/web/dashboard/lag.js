// @ts-check
/** How far behind the group is: by topic over the last 15 minutes, and by partition, with who has it. */

import { get } from "./api.js";
import { chart } from "./chart.js";
import { h, list, section, set, table, text } from "./dom.js";
import { count, duration, rate } from "./format.js";
import { drawStrip } from "./strip.js";

/** @typedef {import("./types.js").Group} Group */
/** @typedef {import("./types.js").TopicView} TopicView */
/** @typedef {import("./types.js").PartitionView} PartitionView */
/** @typedef {import("./types.js").Series} Series */

/** Partitions that are named below the strip, and topics in the chart. */
const NAMED = 20;
const LINES = 6;
const KEPT = 180;

export function lagPanel() {
  const records = h("strong", { id: "lag" });
  const seconds = h("span", { id: "lag-seconds", class: "quiet" });
  const history = chart("Records behind, by topic, over the last 15 minutes", (value) => count(Math.round(value)));
  const topics = table("Lag by topic", ["topic", "partitions#", "records behind#", "time behind#", "written#", "committed#", "no owner#"]);
  const partitions = h("div", { class: "strips" });
  const showTopics = list(topics.body, (/** @type {TopicView} */ one) => one.topic, topicRow);
  const showStrips = list(partitions, (/** @type {{topic: string}} */ one) => one.topic, stripOf);
  const most = table("Partitions that are the furthest behind", ["partition", "records behind#", "time behind#", "owner"]);
  const showMost = list(most.body, (/** @type {PartitionView} */ one) => `${one.topic} ${one.partition}`, partitionRow);
  const none = h("p", { class: "quiet" }, "No partition is behind.");
  const element = section(
    "lag-section",
    "Lag of the group",
    h("p", {}, records, " ", seconds),
    history.element,
    topics.element,
    h("h3", {}, "By partition"),
    partitions,
    none,
    most.element,
  );
  /** @type {Map<string, Map<number, number>>} */
  const lags = new Map();
  let asked = false;

  return {
    element,
    /** @param {Group} group */
    group(group) {
      if (!asked) {
        asked = true;
        get("/api/group/history").then((found) => remember(lags, found.series), () => (asked = false));
      }
      for (const one of group.topics) note(lags, one.topic, Math.floor(group.at / 5) * 5, one.lag);
      text(records, `${count(group.lag)} records behind`);
      text(seconds, group.lag_seconds === null ? "time behind not known" : `${duration(group.lag_seconds * 1000)} behind`);
      const sorted = [...group.topics].sort((one, other) => other.lag - one.lag || one.topic.localeCompare(other.topic));
      showTopics(sorted);
      history.show(...columns(lags, sorted.slice(0, LINES).map((one) => one.topic)));
      showStrips(sorted.map(({ topic }) => ({ topic, partitions: group.partitions.filter((one) => one.topic === topic) })));
      const behind = group.partitions.filter((one) => one.lag).sort((one, other) => (other.lag ?? 0) - (one.lag ?? 0));
      showMost(behind.slice(0, NAMED));
      none.hidden = behind.length > 0;
      most.element.hidden = behind.length === 0;
    },
  };
}

/** @param {Map<string, Map<number, number>>} lags @param {Series[]} series */
function remember(lags, series) {
  for (const one of series) one.at.forEach((at, index) => note(lags, one.topic, at, one.lag[index]));
}

/** @param {Map<string, Map<number, number>>} lags @param {string} topic @param {number} at @param {number} lag */
function note(lags, topic, at, lag) {
  const points = lags.get(topic) ?? new Map();
  lags.set(topic, points.set(at, lag));
  while (points.size > KEPT) points.delete(Math.min(...points.keys()));
}

/**
 * Return the lag of topics as columns, by common times.
 * @param {Map<string, Map<number, number>>} lags
 * @param {string[]} topics
 * @returns {[string[], (number | null)[][]]}
 */
export function columns(lags, topics) {
  const times = [...new Set(topics.flatMap((topic) => [...(lags.get(topic)?.keys() ?? [])]))].sort((one, other) => one - other);
  return [topics, [times, ...topics.map((topic) => times.map((at) => lags.get(topic)?.get(at) ?? null))]];
}

/** @param {number | null} seconds */
const behind = (seconds) => (seconds === null ? "?" : duration(seconds * 1000));

/** @param {TopicView} topic */
function topicRow(topic) {
  const cells = [1, 2, 3, 4, 5, 6].map(() => h("td", { class: "number" }));
  return {
    element: h("tr", { "data-topic": topic.topic }, h("th", { scope: "row" }, topic.topic), ...cells),
    update(/** @type {TopicView} */ now) {
      const values = [count(now.partitions), count(now.lag), behind(now.lag_seconds), rate(now.written_per_s), rate(now.committed_per_s)];
      [...values, now.unowned.length || ""].forEach((value, at) => text(cells[at], value));
    },
  };
}

/** @param {{topic: string}} one */
function stripOf({ topic }) {
  const canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { role: "img", height: 36 }));
  const caption = h("figcaption", {});
  return {
    element: h("figure", { class: "strip" }, caption, canvas),
    update(/** @type {{topic: string, partitions?: PartitionView[]}} */ { partitions = [] }) {
      const lags = partitions.map((one) => one.lag);
      const largest = Math.max(...lags.map((lag) => lag ?? 0), 0);
      const missing = partitions.filter((one) => one.owner === "").length;
      const told = `${topic}: ${partitions.length} partitions, at most ${count(largest)} records behind${missing ? `, ${missing} without an owner` : ""}`;
      text(caption, told);
      set(canvas, "aria-label", told);
      drawStrip(canvas, partitions.map((one) => ({ value: one.lag, missing: one.owner === "" })));
    },
  };
}

/** @param {PartitionView} partition */
function partitionRow(partition) {
  const [lag, seconds, owner] = [h("td", { class: "number" }), h("td", { class: "number" }), h("td")];
  return {
    element: h("tr", {}, h("td", { class: "code" }, `${partition.topic}[${partition.partition}]`), lag, seconds, owner),
    update(/** @type {PartitionView} */ now) {
      text(lag, count(now.lag ?? 0));
      text(seconds, behind(now.lag_seconds));
      text(owner, `${now.owner || "none"}${now.told || !now.owner ? "" : " (does not answer)"}`);
    },
  };
}
