// @ts-check
/** Asks for the token, where the worker wants one. */

import { keepToken } from "./api.js";
import { h } from "./dom.js";

/**
 * Show a form above all else until a token is given.
 * @param {HTMLElement} content
 * @returns {Promise<void>}
 */
export function askForToken(content) {
  return new Promise((given) => {
    const input = /** @type {HTMLInputElement} */ (
      h("input", { id: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false" })
    );
    const form = h(
      "form",
      {
        class: "token card",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          keepToken(input.value.trim());
          form.remove();
          document.body.classList.remove("locked");
          given();
        },
      },
      h("h2", {}, "This worker wants a token"),
      h("label", { for: "token" }, "The value of STREAMAPP_WEB_TOKEN; it is kept in this tab until that is closed."),
      h("div", { class: "row" }, input, h("button", { type: "submit" }, "Show")),
    );
    keepToken("");
    document.body.classList.add("locked");
    content.prepend(form);
    input.focus();
  });
}
