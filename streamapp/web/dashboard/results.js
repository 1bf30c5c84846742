// @ts-check
/** The newest results of each topic that the worker sends to, and the newest dead letters. */

import { h, list, section, table, text } from "./dom.js";
import { count, moment, words } from "./format.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").NewestResults} NewestResults */
/** @typedef {import("./types.js").Result} Result */
/** @typedef {import("./types.js").Sample} Sample */
/** @typedef {import("./explanation.js").Explanations} Explanations */

/** @param {Explanations} explanations */
export function resultsPanel(explanations) {
  const topics = h("div", { class: "cards wide" });
  const letters = table("Newest dead letters", ["record", "key", "event time (UTC)", "reason", "error", ""]);
  const none = h("p", { class: "quiet" }, "None since the worker's start.");
  const showTopics = list(topics, (/** @type {NewestResults} */ one) => one.topic, topicCard);
  const showLetters = list(
    letters.body,
    (/** @type {Sample} */ one) => `${one.topic} ${one.partition} ${one.offset} ${one.reason}`,
    (one) => letterRow(one, explanations),
  );
  return {
    element: section("results", "Results and dead letters", topics, h("h3", {}, "Newest dead letters"), none, letters.element),
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      showTopics(snapshot.results);
      const unique = new Map(snapshot.dead_letters.map((one) => [`${one.topic} ${one.partition} ${one.offset} ${one.reason}`, one]));
      showLetters([...unique.values()]);
      none.hidden = snapshot.dead_letters.length > 0;
      letters.element.hidden = snapshot.dead_letters.length === 0;
    },
  };
}

/** @param {NewestResults} topic */
function topicCard(topic) {
  const sent = h("span", { class: "count" });
  const newest = h("ol", { class: "newest", "aria-label": `Newest results in ${topic.topic}` });
  const element = h(
    "details",
    { class: "card topic", "data-topic": topic.topic, open: false },
    h("summary", {}, h("strong", {}, topic.topic), " ", sent, " sent"),
    newest,
  );
  return {
    element,
    update(/** @type {NewestResults} */ now) {
      text(sent, count(now.sent));
      if (/** @type {HTMLDetailsElement} */ (element).open) showResults(newest, now.results);
    },
  };
}

/**
 * Show results, the newest first; there are five at most, of which nobody keeps a place in mind.
 * @param {HTMLElement} into
 * @param {Result[]} results
 */
export function showResults(into, results) {
  into.replaceChildren(
    ...results.map((one) =>
      h(
        "li",
        {},
        h("span", { class: "code key" }, one.key ?? "–"),
        " ",
        h("time", { class: "quiet" }, moment(one.timestamp)),
        h("code", { class: "value" }, one.value ?? "(a tombstone)"),
      ),
    ),
  );
}

/** @param {Sample} letter @param {Explanations} explanations */
function letterRow(letter, explanations) {
  const place = `${letter.topic}[${letter.partition}]@${letter.offset}`;
  const button = h(
    "button",
    { type: "button", class: "explain", "aria-label": `Explain ${place}`, onclick: () => explanations.explain(letter) },
    "explain",
  );
  return {
    element: h(
      "tr",
      {},
      h("td", { class: "code" }, place),
      h("td", { class: "code" }, letter.key ?? "–"),
      h("td", { class: "when" }, moment(letter.timestamp)),
      h("td", {}, words(letter.reason)),
      h("td", { class: "why" }, letter.detail),
      h("td", {}, letter.see ? button : null),
    ),
  };
}
