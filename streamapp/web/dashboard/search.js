// @ts-check
/** A search in a table: by key, by a prefix of keys or by a condition on the values. */

import { getText } from "./api.js";
import { h, table } from "./dom.js";
import { exactly, isExact } from "./exact.js";
import { count, moment } from "./format.js";

/** @typedef {import("./types.js").Row} Row */
/** @typedef {{table: string, by: string, value: string}} Question */
/** @typedef {{rows: Row[], shown: unknown[], cursor: string | null, stopped: string | null}} Page of which `shown` are the values */

const ROWS = 50;
/** How long (ms) a page of rows may take: each worker that is asked may have other searches first. */
const WITHIN_MS = 30_000;
const ROUNDED = isExact ? "" : "; this browser is old, and rounds numbers over 2^53";

export function searchForm() {
  const name = /** @type {HTMLSelectElement} */ (h("select", { id: "search-table" }));
  const by = /** @type {HTMLSelectElement} */ (
    h("select", { id: "search-by" }, option("key", "key"), option("prefix", "keys that begin with"), option("where", "condition"))
  );
  const value = /** @type {HTMLInputElement} */ (h("input", { id: "search-value", spellcheck: "false", autocomplete: "off" }));
  const found = table("Rows", ["key", "event time (UTC)", "value"]);
  const told = h("p", { class: "quiet", id: "search-told", "aria-live": "polite" });
  const more = /** @type {HTMLButtonElement} */ (h("button", { type: "button", hidden: true }, "More"));
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
  let searches = 0;

  /**
   * Show a page of what is asked for; the next one is of the same, whatever the form says by then.
   * @param {Question} question
   * @param {string} cursor "" = the first page
   */
  async function search(question, cursor) {
    searches += 1;
    const number = searches;
    told.textContent = "searching …";
    more.hidden = true;
    try {
      const page = await rows(question, cursor);
      if (number !== searches) return; // another search was begun meanwhile
      if (!cursor) {
        shown = 0;
        found.body.replaceChildren();
      }
      shown += page.rows.length;
      found.body.append(...page.rows.map((row, at) => rowOf(row, page.shown[at])));
      found.element.hidden = shown === 0;
      const rest = page.cursor ? ", and there may be more" : "";
      const stopped = page.stopped === "unavailable" ? "; a worker does not answer" : "";
      told.textContent = `${count(shown)} rows of ${inWords(question)}${rest}${stopped}${ROUNDED}`;
      more.hidden = !page.cursor;
      more.onclick = () => search(question, page.cursor ?? "");
    } catch (error) {
      if (number !== searches) return;
      told.textContent = `${inWords(question)}: ${/** @type {Error} */ (error).message}`;
    }
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    found.element.hidden = true;
    search({ table: name.value, by: by.value, value: value.value }, "");
  });
  return {
    element: h("div", { class: "card" }, form, hint, told, found.element, more),
    /** @param {string[]} names */
    tables(names) {
      if (names.join() === [...name.options].map((one) => one.value).join()) return;
      const chosen = name.value;
      name.replaceChildren(...names.map((one) => option(one, one)));
      if (names.includes(chosen)) name.value = chosen;
    },
  };
}

/** @param {string} value @param {string} shown */
const option = (value, shown) => h("option", { value }, shown);

/** @param {Question} question */
function inWords({ table, by, value }) {
  if (value === "") return table;
  return `${table} ${{ key: "with the key", prefix: "whose keys begin with", where: "where" }[by]} ${value}`;
}

/**
 * Ask for rows of a table: of one key, or a page of those with a prefix or a condition.
 * @param {Question} question
 * @param {string} cursor
 * @returns {Promise<Page>}
 */
async function rows({ table, by, value }, cursor) {
  const path = `/api/tables/${encodeURIComponent(table)}`;
  if (by === "key" && value !== "") {
    const text = await getText(`${path}?${new URLSearchParams({ key: value })}`, WITHIN_MS);
    return { rows: [JSON.parse(text)], shown: [exactly(text).value], cursor: null, stopped: null };
  }
  const query = new URLSearchParams({ limit: String(ROWS) });
  if (value !== "") query.set(by, value);
  if (cursor) query.set("cursor", cursor);
  const text = await getText(`${path}/rows?${query}`, WITHIN_MS);
  return { ...JSON.parse(text), shown: exactly(text).rows.map((/** @type {Row} */ row) => row.value) };
}

/** @param {Row} row @param {unknown} shown its value, with exact numbers */
function rowOf(row, shown) {
  const value = typeof row.value_base64 === "string" ? `base64 ${row.value_base64}` : JSON.stringify(shown);
  return h("tr", {}, h("td", { class: "code" }, row.key), h("td", { class: "when" }, moment(row.time)), h("td", { class: "code value" }, value));
}
