// @ts-check
/** The tables: how much they have and where, and a search in them. */

import { get } from "./api.js";
import { h, list, section, table, text } from "./dom.js";
import { bytes, count, moment } from "./format.js";
import { searchForm } from "./search.js";

/** @typedef {import("./types.js").TableState} TableState */

const EVERY_MS = 5000;

export function statePanel() {
  const wide = table("Tables", ["table", "what", "rows#", "size#", "changelog behind#", "partitions", "newest (UTC)"]);
  const show = list(wide.body, (/** @type {TableState} */ one) => one.name, tableRow);
  const failed = h("p", { class: "error" });
  const search = searchForm();
  const element = section("tables", "State", wide.element, failed, search.element);
  let next = 0;
  let asking = false;

  async function ask() {
    asking = true;
    try {
      /** @type {TableState[]} */
      const tables = await get("/api/tables");
      show(tables);
      search.tables(tables.filter((one) => one.kind === "table").map((one) => one.name));
      text(failed, "");
    } catch (error) {
      text(failed, `The tables are not shown as they are now: ${/** @type {Error} */ (error).message}`);
    }
    asking = false;
  }

  return {
    element,
    /** @param {{time: number}} snapshot */
    update(snapshot) {
      // Not with each snapshot: all workers are asked.
      if (asking || (snapshot.time < next && next - snapshot.time <= EVERY_MS)) return;
      next = snapshot.time + EVERY_MS;
      ask();
    },
  };
}

/** @param {TableState} one */
function tableRow(one) {
  const cells = ["number", "number", "number", null, "when"].map((kind) => h("td", { class: kind }));
  return {
    element: h("tr", { "data-table": one.name }, h("th", { scope: "row", title: one.help }, one.name), h("td", { class: "quiet" }, one.kind), ...cells),
    update(/** @type {TableState} */ now) {
      const known = now.partitions.filter((partition) => partition.rows !== null);
      const owners = new Set(known.map((partition) => partition.owner)).size;
      const missing = now.partitions.length - known.length;
      const where = `${known.length} on ${owners} ${owners === 1 ? "worker" : "workers"}${missing ? `, ${missing} not known` : ""}`;
      const least = missing ? "≥ " : "";
      const lag = now.lag === null ? "?" : count(now.lag);
      const values = [`${least}${count(now.rows)}`, `${least}${bytes(now.bytes)}`, lag, where, moment(now.clock)];
      values.forEach((value, at) => text(cells[at], value));
    },
  };
}
