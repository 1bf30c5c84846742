// @ts-check
/** The workers of the group: what each has, whether it answers, and how far its recovery is. */

import { h, list, section, table, text } from "./dom.js";
import { count, duration } from "./format.js";

/** @typedef {import("./types.js").Group} Group */
/** @typedef {import("./types.js").WorkerView} WorkerView */

export function workersPanel() {
  const state = h("p", {});
  const wide = table("Workers", ["worker", "state", "partitions#", "standbys#", "recovery", "what is wrong"]);
  const show = list(wide.body, (/** @type {WorkerView} */ one) => one.member, workerRow);
  return {
    element: section("workers", "Workers of the group", state, wide.element),
    /** @param {Group} group */
    group(group) {
      text(state, `Group ${group.group} is ${group.state}, with ${count(group.workers.length)} ${group.workers.length === 1 ? "worker" : "workers"}.`);
      show(group.workers);
    },
  };
}

/** @param {Record<string, number[]>} partitions by topic */
const total = (partitions) => Object.values(partitions).reduce((sum, numbers) => sum + numbers.length, 0);

/** @param {WorkerView} worker */
function workerRow(worker) {
  const link = h("a", { href: `${worker.url}/dashboard/` }, worker.member);
  const name = worker.url.startsWith("http") ? link : worker.member;
  const cells = [null, "number", "number", null, null].map((kind) => h("td", { class: kind }));
  return {
    element: h("tr", { "data-member": worker.member }, h("th", { scope: "row" }, name), ...cells),
    update(/** @type {WorkerView} */ now) {
      const state = now.answers ? now.state : `✗ does not answer (was ${now.state})`;
      const values = [now.ready ? "✓ ready" : state, count(total(now.assigned)), count(total(now.standbys)), recovery(now), [now.error, ...now.problems].filter(Boolean).join("; ")];
      values.forEach((value, at) => text(cells[at], value));
    },
  };
}

/** @param {WorkerView} worker */
function recovery({ recovery: now }) {
  if (now === null) return "";
  const left = now.seconds_left === null ? "" : `, ${duration(now.seconds_left * 1000)} left`;
  return `${count(now.rows_read)} rows read, ${count(now.rows_left)} to go${left}`;
}
