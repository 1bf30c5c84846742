// @ts-check
/** A dialog with the newest records of a reason, and of each why it joined, or did not. */

import { get } from "./api.js";
import { h, table } from "./dom.js";
import { moment, words } from "./format.js";

/** @typedef {import("./types.js").Sample} Sample */

export class Explanations {
  constructor() {
    this.title = h("h2", { id: "dialog-title" });
    this.body = h("div", { class: "dialog-body" });
    this.answer = h("div", { class: "answer", "aria-live": "polite" });
    /** How often something was asked: an answer that comes after a later question is not shown. */
    this.questions = 0;
    const close = h("button", { type: "button", class: "close", onclick: () => this.element.close() }, "Close");
    this.element = /** @type {HTMLDialogElement} */ (
      h("dialog", { "aria-labelledby": "dialog-title" }, h("div", { class: "row" }, this.title, close), this.body, this.answer)
    );
  }

  /**
   * Show the newest records of a topic that came to nothing for a reason.
   * @param {string} name of the join
   * @param {string} topic
   * @param {string} reason
   */
  async samples(name, topic, reason) {
    this.open(`${words(reason)}: records of ${topic}`);
    const query = new URLSearchParams({ topic, reason });
    await this.attempt(this.body, async () => {
      /** @type {Sample[]} */
      const samples = await get(`/api/funnels/${encodeURIComponent(name)}/samples?${query}`);
      if (samples.length === 0) return [h("p", {}, "None was kept since the worker's start.")];
      return [h("p", { class: "quiet" }, `The newest ${samples.length}, as this worker has kept them.`), this.table(samples)];
    });
  }

  /**
   * Make a table of records, each of which can be explained.
   * @param {Sample[]} samples
   */
  table(samples) {
    const { element, body } = table("Records", ["record", "key", "event time (UTC)", "why", ""]);
    body.append(...samples.map((sample) => this.row(sample)));
    return element;
  }

  /** @param {Sample} sample */
  row(sample) {
    const place = `${sample.topic}[${sample.partition}]@${sample.offset}`;
    const explain = h(
      "button",
      { type: "button", class: "explain", "aria-label": `Explain ${place}`, onclick: () => this.explain(sample) },
      "explain",
    );
    return h(
      "tr",
      {},
      h("td", { class: "code" }, place),
      h("td", { class: "code" }, sample.key ?? "–"),
      h("td", { class: "when" }, moment(sample.timestamp)),
      h("td", { class: "why" }, sample.detail || words(sample.reason)),
      h("td", {}, sample.see ? explain : null),
    );
  }

  /**
   * Say what became of a record; opens the dialog if it is not.
   * @param {Sample} sample
   */
  async explain(sample) {
    if (!this.element.open) this.open(`${sample.topic}[${sample.partition}]@${sample.offset}`);
    await this.attempt(this.answer, async () => {
      const answers = await get(sample.see.split("/").map(encodeURIComponent).join("/"));
      return answers.map(answerOf);
    });
    this.answer.scrollIntoView({ block: "nearest" });
  }

  /** @param {string} title */
  open(title) {
    this.questions += 1;
    this.title.textContent = title;
    this.body.replaceChildren();
    this.answer.replaceChildren();
    this.element.showModal();
  }

  /**
   * Fill an element with what is asked for, or with what went wrong.
   * @param {HTMLElement} into
   * @param {() => Promise<Node[]>} made
   */
  async attempt(into, made) {
    into.replaceChildren(h("p", { class: "quiet" }, "asking …"));
    this.questions += 1;
    const number = this.questions;
    const wrong = (/** @type {Error} */ error) => [h("p", { class: "error", role: "alert" }, error.message)];
    const nodes = await made().catch(wrong);
    if (number === this.questions) into.replaceChildren(...nodes);
  }
}

/** @param {any} answer what `streamapp.explain.answer.Answer` is as JSON */
function answerOf(answer) {
  const near = answer.candidates ?? [];
  const told = near.map((/** @type {any} */ one) => {
    const where = one.place === null ? "a row" : `${one.place.topic}[${one.place.partition}]@${one.place.offset}`;
    return h("li", {}, `${where}, ${moment(one.timestamp)}${one.note ? `, ${one.note}` : ""}`);
  });
  return h(
    "article",
    { class: "card explained" },
    h("h3", {}, h("span", { class: "chip small" }, words(answer.verdict)), ` as the ${answer.side} of ${answer.join}`),
    h("p", { class: "because" }, answer.because),
    h("p", { class: "quiet" }, `Read up to offset ${answer.position}; clock ${moment(answer.clock) || "not begun"}.`),
    told.length > 0 ? h("h4", {}, "What was near") : null,
    told.length > 0 ? h("ul", {}, ...told) : null,
  );
}
