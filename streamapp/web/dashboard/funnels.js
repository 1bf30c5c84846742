// @ts-check
/** Of each join and window: what became of the records that came in, by reason; its clocks, and what it waits for. */

import { clockPanel } from "./clocks.js";
import { h, list, section, set, text } from "./dom.js";
import { count, duration, rate, share, words } from "./format.js";
import { Rates } from "./rates.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Funnel} Funnel */
/** @typedef {import("./types.js").Cause} Cause */
/** @typedef {import("./types.js").Wait} Wait */
/** @typedef {import("./explanation.js").Explanations} Explanations */

/** @type {(keyof import("./types.js").Balance)[]} */
const ACCOUNTS = ["matched", "pending", "unmatched", "late", "rejected"];

/** @param {Explanations} explanations */
export function funnelsPanel(explanations) {
  const cards = h("div", { class: "cards wide" });
  const rates = new Rates();
  const show = list(
    cards,
    (/** @type {{funnel: Funnel, snapshot: Snapshot}} */ { funnel }) => `${funnel.noun} ${funnel.name}`,
    ({ funnel }) => card(funnel, rates, explanations),
  );
  return {
    element: section("funnels", "Joins and windows", cards),
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      show(snapshot.funnels.map((funnel) => ({ funnel, snapshot })));
    },
  };
}

/** @param {Funnel} funnel @param {Rates} rates @param {Explanations} explanations */
function card(funnel, rates, explanations) {
  const name = `${funnel.noun} ${funnel.name}`;
  const bar = h("div", { class: "bar", role: "img" });
  const segments = new Map(ACCOUNTS.map((account) => [account, h("span", { class: `segment ${account}` })]));
  bar.append(...segments.values());
  const rows = h("dl", { class: "accounts" });
  const received = accountRow("received");
  const others = new Map(ACCOUNTS.map((account) => [account, accountRow(account)]));
  rows.append(received.element, ...[...others.values()].map((row) => row.element));
  const causes = new Map(ACCOUNTS.map((account) => [account, reasons(funnel, explanations, others.get(account)?.reasons)]));
  const sum = h("p", { class: "sum" });
  const updates = h("p", { class: "updates" });
  const updateReasons = h("ul", { class: "reasons" });
  const showUpdateReasons = reasons(funnel, explanations, updateReasons);
  const waiting = h("ul", { class: "waits", "aria-label": "What is waited for" });
  const showWaits = list(waiting, keyOfWait, waitRow);
  const clocks = clockPanel(funnel);
  const element = h(
    "article",
    { class: "card funnel", "data-name": funnel.name, "aria-label": name },
    h("h3", {}, funnel.name, " ", h("span", { class: "chip small" }, funnel.noun)),
    h("p", { class: "quiet since" }, `${funnel.topics.join(", ")} · ${SINCE[funnel.since]}`),
    bar,
    rows,
    sum,
    updates,
    updateReasons,
    waiting,
    clocks.element,
  );

  return {
    element,
    /** @param {{funnel: Funnel, snapshot: Snapshot}} now */
    update({ funnel: now, snapshot }) {
      const { balance } = now;
      const of = now.partitions.join();
      received.update(balance.received, balance.received, rates.of(`${name} received`, balance.received, snapshot.time, of));
      for (const account of ACCOUNTS) {
        const number = balance[account];
        others.get(account)?.update(number, balance.received, rates.of(`${name} ${account}`, number, snapshot.time, of));
        const segment = /** @type {HTMLElement} */ (segments.get(account));
        segment.style.flexGrow = String(number);
        segment.hidden = number === 0;
        causes.get(account)?.(now.causes.filter((cause) => cause.account === account && !cause.update));
      }
      set(bar, "aria-label", ACCOUNTS.map((account) => `${account} ${share(balance[account], balance.received) || 0}`).join(", "));
      text(sum, sumOf(now));
      set(sum, "data-holds", now.holds !== false);
      text(updates, updatesOf(now));
      showUpdateReasons(now.causes.filter((cause) => cause.update));
      showWaits(snapshot.waits.filter((wait) => now.topics.includes(wait.topic)).slice(0, 5));
      clocks.update(now, snapshot.time);
    },
  };
}

const SINCE = {
  start: "since the start of this worker",
  ever: "ever, reasons since the start of this worker",
};

/** @param {string} account */
function accountRow(account) {
  const number = h("span", { class: "count", "data-account": account });
  const part = h("span", { class: "share quiet" });
  const perSecond = h("span", { class: "per-second quiet" });
  const found = h("ul", { class: "reasons" });
  const element = h(
    "div",
    { class: "account" },
    h("dt", {}, h("span", { class: `swatch ${account}`, "aria-hidden": "true" }), account),
    h("dd", {}, number, part, perSecond, found),
  );
  return {
    element,
    reasons: found,
    /** @param {number} value @param {number} of @param {number | null} speed */
    update(value, of, speed) {
      set(element, "data-none", value === 0);
      text(number, count(value));
      text(part, account === "received" ? "" : share(value, of));
      text(perSecond, account === "pending" ? "" : rate(speed));
    },
  };
}

/**
 * Show reasons with their counts; each opens its newest records.
 * @param {Funnel} funnel
 * @param {Explanations} explanations
 * @param {HTMLElement | undefined} into
 */
function reasons(funnel, explanations, into) {
  return list(
    into ?? h("ul"),
    (/** @type {Cause} */ cause) => `${cause.topic} ${cause.reason}`,
    (cause) => {
      const number = h("span", { class: "count" });
      const named = funnel.topics.length > 1 ? ` of ${cause.topic}` : "";
      const button = h(
        "button",
        {
          type: "button",
          class: "reason",
          "data-reason": cause.reason,
          "data-topic": cause.topic,
          onclick: () => explanations.samples(funnel.name, cause.topic, cause.reason),
        },
        `${words(cause.reason)}${named} `,
        number,
      );
      return {
        element: h("li", {}, button),
        update: (/** @type {Cause} */ now) => text(number, count(now.count)),
      };
    },
  );
}

/** @param {Funnel} funnel */
function sumOf({ holds }) {
  if (holds === null) return "What was neither set aside nor rejected is taken for matched: what an agent does by hand is not checked.";
  return holds ? `✓ received = ${ACCOUNTS.join(" + ")}` : "✗ records are not accounted for: the worker's log says which";
}

/** @param {Funnel} funnel */
function updatesOf({ updates }) {
  if (updates === null) return "";
  const { received, applied, late, rejected } = updates;
  return `Table updates: ${count(received)} received = ${count(applied)} applied + ${count(late)} late + ${count(rejected)} rejected`;
}

/** @param {Wait} wait */
const keyOfWait = (wait) => `${wait.topic} ${wait.partition}`;

/** @param {Wait} wait */
function waitRow(wait) {
  const told = h("span");
  return {
    element: h("li", {}, told),
    update(/** @type {Wait} */ now) {
      const whose = `${now.topic}, partition ${now.partition}: ${count(now.records)} records`;
      text(told, `${whose} wait for ${now.waits_for.join(" and ")}, for ${duration(now.seconds * 1000)} now`);
    },
  };
}
