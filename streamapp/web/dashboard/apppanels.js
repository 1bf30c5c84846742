// @ts-check
/** What the app shows of itself: of the pipelines decisions, anomalies, the model that is used, the newest alerts. */

import { h, list, section, text } from "./dom.js";
import { count, words } from "./format.js";
import { showResults } from "./results.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Panel} Panel */
/** @typedef {import("./types.js").Shown} Shown */

export function appPanels() {
  const cards = h("div", { class: "cards wide" });
  const element = section("app", "This app", cards);
  const none = h("p", { class: "quiet" }, "It has no panels of its own: app.panels.append(…) adds some.");
  element.append(none);
  const show = list(cards, (/** @type {{panel: Panel}} */ { panel }) => panel.title, ({ panel }) => card(panel));
  return {
    element,
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      none.hidden = snapshot.panels.length > 0;
      show(snapshot.panels.map((panel) => ({ panel, snapshot })));
    },
  };
}

/** @param {Panel} panel */
function card(panel) {
  const texts = h("dl", { class: "texts" });
  const shown = h("div", { class: "shown" });
  const newest = h("ol", { class: "newest", "aria-label": `Newest in ${panel.topic}` });
  const showTexts = list(texts, (/** @type {[string, string]} */ [name]) => name, textRow);
  const showShown = list(shown, (/** @type {Shown} */ one) => one.title, counts);
  const element = h(
    "article",
    { class: "card", "data-panel": panel.title },
    h("h3", {}, panel.title),
    texts,
    shown,
    panel.topic ? h("h4", {}, `Newest in ${panel.topic}`) : null,
    newest,
  );
  return {
    element,
    /** @param {{panel: Panel, snapshot?: Snapshot}} now */
    update({ panel: now, snapshot }) {
      showTexts(Object.entries(now.texts));
      showShown(now.shown.filter((one) => Object.keys(one.counts).length > 0));
      const found = snapshot?.results.find((one) => one.topic === now.topic);
      showResults(newest, found?.results ?? []);
    },
  };
}

/** @param {[string, string]} entry */
function textRow([name]) {
  const value = h("dd");
  return {
    element: h("div", {}, h("dt", {}, name), value),
    update: (/** @type {[string, string]} */ [, now]) => text(value, now),
  };
}

/** @param {Shown} one */
function counts(one) {
  const bars = h("ul", { class: "bars" });
  const show = list(bars, (/** @type {[string, number, number]} */ [name]) => name, countRow);
  return {
    element: h("div", {}, h("h4", {}, one.title), bars),
    update(/** @type {Shown} */ now) {
      const most = Math.max(...Object.values(now.counts), 1);
      const sorted = Object.entries(now.counts).sort(([, one], [, other]) => other - one);
      show(sorted.map(([name, number]) => /** @type {[string, number, number]} */ ([name, number, most])));
    },
  };
}

/** @param {[string, number, number]} entry */
function countRow([name]) {
  const number = h("span", { class: "count" });
  const bar = h("span", { class: "length", "aria-hidden": "true" });
  return {
    element: h("li", {}, h("span", { class: "label" }, words(name)), bar, number),
    update(/** @type {[string, number, number]} */ [, value, most]) {
      text(number, count(value));
      bar.style.setProperty("--length", `${(100 * value) / most}%`);
    },
  };
}
