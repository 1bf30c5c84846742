// @ts-check
/** The tables: how much they have and where, and a search by key, prefix or a condition on the values. */

import { get } from "./api.js";
import { h, list, section, table, text } from "./dom.js";
import { bytes, count, moment } from "./format.js";

/** @typedef {import("./types.js").TableState} TableState */
/** @typedef {import("./types.js").Row} Row */

const EVERY_MS = 5000;
const ROWS = 50;

export function statePanel() {
  const wide = table("Tables", ["table", "what", "rows#", "size#", "changelog behind#", "partitions", "newest (UTC)"]);
  const show = list(wide.body, (/** @type {TableState} */ one) => one.name, tableRow);
  const failed = h("p", { class: "error" });
  const search = searchForm();
  const element = section("tables", "State", wide.element, failed, search.element);
  let next = 0;
  return {
    element,
    /** @param {{time: number}} snapshot */
    update(snapshot) {
      // Not with each snapshot: all workers are asked.
      if (snapshot.time < next && next - snapshot.time <= EVERY_MS) return;
      next = snapshot.time + EVERY_MS;
      get("/api/tables").then(
        (/** @type {TableState[]} */ tables) => {
          text(failed, "");
          show(tables);
          search.tables(tables.filter((one) => one.kind === "table").map((one) => one.name));
        },
        (error) => text(failed, error.message),
      );
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
      [count(now.rows), bytes(now.bytes), count(now.lag), where, moment(now.clock)].forEach((value, at) => text(cells[at], value));
    },
  };
}

function searchForm() {
  const name = /** @type {HTMLSelectElement} */ (h("select", { id: "search-table" }));
  const by = /** @type {HTMLSelectElement} */ (
    h("select", { id: "search-by" }, option("key", "key"), option("prefix", "keys that begin with"), option("where", "condition"))
  );
  const value = /** @type {HTMLInputElement} */ (h("input", { id: "search-value", spellcheck: "false", autocomplete: "off" }));
  const found = table("Rows", ["key", "event time (UTC)", "value"]);
  const told = h("p", { class: "quiet", "aria-live": "polite" });
  const more = h("button", { type: "button", hidden: true }, "More");
  const form = h(
    "form",
    { class: "search" },
    h("label", {}, "Rows of ", name),
    h("label", {}, " by ", by),
    h("label", { for: "search-value", class: "hidden" }, "key, prefix or condition"),
    value,
    h("button", { type: "submit" }, "Search"),
  );
  const hint = h("p", { class: "quiet hint" }, 'A condition is such as amount > 100 and country in ["DE", "FR"]. Nothing given: all rows.');
  found.element.hidden = true;
  let shown = 0;

  /** @param {string} cursor */
  async function search(cursor) {
    told.textContent = "searching …";
    try {
      const page = await rows(name.value, by.value, value.value, cursor);
      if (!cursor) {
        shown = 0;
        found.body.replaceChildren();
      }
      shown += page.rows.length;
      found.body.append(...page.rows.map(rowOf));
      found.element.hidden = shown === 0;
      told.textContent = `${count(shown)} rows${page.cursor ? ", and there may be more" : ""}${page.stopped === "unavailable" ? "; a worker does not answer" : ""}`;
      more.hidden = !page.cursor;
      more.onclick = () => search(page.cursor ?? "");
    } catch (error) {
      told.textContent = /** @type {Error} */ (error).message;
      more.hidden = true;
    }
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search("");
  });
  return {
    element: h("div", { class: "card" }, form, hint, told, found.element, more),
    /** @param {string[]} names */
    tables(names) {
      if (names.join() === [...name.options].map((one) => one.value).join()) return;
      name.replaceChildren(...names.map((one) => option(one, one)));
    },
  };
}

/** @param {string} value @param {string} shown */
const option = (value, shown) => h("option", { value }, shown);

/**
 * Ask for rows of a table: of one key, or a page of those with a prefix or a condition.
 * @param {string} table
 * @param {string} by
 * @param {string} value
 * @param {string} cursor
 * @returns {Promise<{rows: Row[], cursor: string | null, stopped: string | null}>}
 */
async function rows(table, by, value, cursor) {
  const path = `/api/tables/${encodeURIComponent(table)}`;
  if (by === "key" && value !== "") {
    return { rows: [await get(`${path}?${new URLSearchParams({ key: value })}`)], cursor: null, stopped: null };
  }
  const query = new URLSearchParams({ limit: String(ROWS) });
  if (value !== "") query.set(by, value);
  if (cursor) query.set("cursor", cursor);
  return get(`${path}/rows?${query}`);
}

/** @param {Row} row */
function rowOf(row) {
  const value = row.value_base64 === undefined ? JSON.stringify(row.value) : `base64 ${row.value_base64}`;
  return h("tr", {}, h("td", { class: "code" }, row.key), h("td", { class: "when" }, moment(row.time)), h("td", { class: "code value" }, value));
}
