// @ts-check
/** How far behind the group is: by topic over the last 15 minutes, and by partition, with who has it. */

import { get } from "./api.js";
import { chart } from "./chart.js";
import { h, list, section, set, table, text } from "./dom.js";
import { count, duration, rate } from "./format.js";
import { EVERY_S, LagHistory } from "./laghistory.js";
import { drawStrip } from "./strip.js";

/** @typedef {import("./types.js").Group} Group */
/** @typedef {import("./types.js").TopicView} TopicView */
/** @typedef {import("./types.js").PartitionView} PartitionView */
/** @typedef {import("./types.js").Series} Series */

/** Partitions that are named below the strip, and topics in the chart. */
const NAMED = 20;
const LINES = 6;

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
  const gaps = h("p", { class: "quiet", id: "lag-gaps", hidden: true }, "Where a line is interrupted, not all partitions of the topic were known: what a worker had kept is gone with it.");
  const element = section(
    "lag-section",
    "Lag of the group",
    h("p", {}, records, " ", seconds),
    history.element,
    gaps,
    topics.element,
    h("h3", {}, "By partition"),
    partitions,
    none,
    most.element,
  );
  const kept = new LagHistory();
  /** When (s) the group was last told of: what came before, or while this page was hidden, is asked for. */
  let last = -Infinity;

  async function askForHistory() {
    /** @type {{series: Series[]}} */
    const found = await get("/api/group/history");
    for (const { topic, at, lag, partitions } of found.series) {
      at.forEach((time, index) => kept.note(topic, time, { lag: lag[index], partitions: partitions[index] }));
    }
  }

  return {
    element,
    /** @param {Group} group */
    group(group) {
      if (group.at - last > 3 * EVERY_S) askForHistory().catch(() => (last = -Infinity));
      last = group.at;
      for (const { topic, known_lag: lag, partitions, unknown } of group.topics) kept.note(topic, group.at, { lag, partitions: partitions - unknown });
      text(records, lagOf(group));
      text(seconds, group.lag_seconds === null ? "time behind not known" : `${duration(group.lag_seconds * 1000)} behind`);
      const sorted = [...group.topics].sort((one, other) => other.known_lag - one.known_lag || one.topic.localeCompare(other.topic));
      showTopics(sorted);
      const shown = sorted.slice(0, LINES);
      const columns = kept.columns(shown);
      history.show(shown.map((one) => one.topic), columns);
      gaps.hidden = !columns.some((column) => column.includes(null));
      showStrips(sorted.map(({ topic }) => ({ topic, partitions: group.partitions.filter((one) => one.topic === topic) })));
      const behind = group.partitions.filter((one) => one.lag !== 0);
      // Those that are not known come last: how many they are is told above.
      behind.sort((one, other) => (other.lag ?? 0) - (one.lag ?? 0));
      showMost(behind.slice(0, NAMED));
      none.hidden = behind.length > 0;
      most.element.hidden = behind.length === 0;
    },
  };
}

/** @param {Group} group */
function lagOf({ known_lag: lag, unknown, partitions: { length } }) {
  if (unknown === 0) return `${count(lag)} records behind`;
  const of = `of ${count(unknown)} of ${count(length)} partitions it is not known`;
  return unknown === length ? `? records behind: ${of}` : `at least ${count(lag)} records behind: ${of}`;
}

/** @param {TopicView} topic */
function lagOfTopic({ known_lag: lag, unknown, partitions }) {
  if (unknown === partitions) return "?";
  return unknown === 0 ? count(lag) : `≥ ${count(lag)}`;
}

/** @param {number | null} seconds */
const behind = (seconds) => (seconds === null ? "?" : duration(seconds * 1000));

/** @param {TopicView} topic */
function topicRow({ topic: name }) {
  const cells = [1, 2, 3, 4, 5, 6].map(() => h("td", { class: "number" }));
  return {
    element: h("tr", { "data-topic": name }, h("th", { scope: "row" }, name), ...cells),
    update(/** @type {TopicView} */ now) {
      const values = [count(now.partitions), lagOfTopic(now), behind(now.lag_seconds), rate(now.written_per_s), rate(now.committed_per_s)];
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
      const lags = partitions.flatMap((one) => one.lag ?? []);
      const largest = lags.length > 0 ? count(Math.max(...lags)) : "?";
      const missing = partitions.filter((one) => one.owner === "").length;
      const unknown = partitions.length - lags.length;
      const told = [
        `${topic}: ${count(partitions.length)} partitions, at most ${largest} records behind`,
        missing ? `${count(missing)} without an owner` : "",
        unknown ? `${count(unknown)} whose lag is not known` : "",
      ].filter(Boolean).join(", ");
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
      text(lag, now.lag === null ? "?" : count(now.lag));
      text(seconds, behind(now.lag_seconds));
      text(owner, `${now.owner || "none"}${now.told || !now.owner ? "" : " (does not answer)"}`);
    },
  };
}
