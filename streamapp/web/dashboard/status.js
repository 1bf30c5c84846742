// @ts-check
/** The line on top: whether the worker lives, is ready, what is wrong, its guarantee, and what it has of the partitions. */

import { h, list, set, text } from "./dom.js";
import { count, duration, timeOfDay, words } from "./format.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */

/** @param {HTMLElement} header */
export function statusLine(header) {
  const name = h("h1", {}, "streamapp");
  const state = h("strong", { class: "chip", id: "state", "data-state": "starting" }, "connecting");
  const about = h("span", { id: "about" });
  const partitions = h("span", { id: "partitions" });
  const seen = h("span", { id: "seen", class: "quiet" });
  const problems = h("ul", { id: "problems", "aria-label": "What is wrong" });
  const gone = h("p", { id: "gone", role: "alert" });
  header.append(h("div", { class: "line" }, name, state, about, partitions, seen), gone, problems);
  const showProblems = list(
    problems,
    (/** @type {string} */ problem) => problem,
    (problem) => ({ element: h("li", {}, problem) }),
  );
  /** @type {number | null} */
  let last = null;

  return {
    element: header,
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      const { health } = snapshot;
      last = Date.now();
      text(name, snapshot.app);
      document.title = `${health.ready ? "" : `${health.state}: `}${snapshot.app} – streamapp`;
      const shown = health.problems.length > 0 ? "wrong" : health.ready ? "ready" : health.state;
      set(state, "data-state", shown);
      text(state, shown === "wrong" ? "something is wrong" : shown);
      text(about, `${words(snapshot.guarantee)} · ${health.worker} · ${snapshot.version}`);
      text(partitions, partitionsOf(snapshot));
      text(seen, timeOfDay(snapshot.time));
      text(gone, "");
      showProblems(health.problems);
    },
    /** @param {string} why */
    gone(why) {
      const since = last === null ? "" : ` It was last heard of ${duration(Date.now() - last)} ago; what is below is of then.`;
      set(state, "data-state", "gone");
      text(state, "gone");
      document.title = "gone – streamapp";
      text(gone, `No answer: ${why}.${since} This page goes on trying.`);
    },
  };
}

/**
 * Return how many of the partitions that are read this worker has, in words.
 * @param {Snapshot} snapshot
 */
export function partitionsOf(snapshot) {
  const total = Object.values(snapshot.partitions).reduce((sum, number) => sum + number, 0);
  const here = Object.keys(snapshot.partitions).reduce(
    (sum, topic) => sum + (snapshot.health.assigned[topic]?.length ?? 0),
    0,
  );
  return `${count(here)} partitions here, ${count(Math.max(0, total - here))} elsewhere`;
}
