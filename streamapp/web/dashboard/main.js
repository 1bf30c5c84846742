// @ts-check
/** The page: makes the panels, and gives each snapshot to all of them. */

import { appPanels } from "./apppanels.js";
import { h, text } from "./dom.js";
import { Explanations } from "./explanation.js";
import { funnelsPanel } from "./funnels.js";
import { lagPanel } from "./lag.js";
import { latencyPanel } from "./latency.js";
import { follow } from "./live.js";
import { resultsPanel } from "./results.js";
import { statePanel } from "./state.js";
import { statusLine } from "./status.js";
import { askForToken } from "./token.js";
import { topologyPanel } from "./topology.js";
import { workersPanel } from "./workers.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Group} Group */
/** @typedef {{element: HTMLElement, update?: (snapshot: Snapshot) => void, group?: (group: Group) => void}} Panel */

const content = /** @type {HTMLElement} */ (document.getElementById("content"));
const status = statusLine(/** @type {HTMLElement} */ (document.getElementById("status")));
const explanations = new Explanations();
/** @type {Panel[]} */
const panels = [
  topologyPanel(),
  funnelsPanel(explanations),
  lagPanel(),
  latencyPanel(explanations),
  appPanels(),
  statePanel(),
  resultsPanel(explanations),
  workersPanel(),
];

content.append(...panels.map((panel) => panel.element));
document.body.append(explanations.element);
/** @type {HTMLElement} */ (document.getElementById("sections")).append(
  ...[...content.querySelectorAll("section[id]")].map((section) =>
    h("a", { href: `#${section.id}` }, section.querySelector("h2")?.textContent),
  ),
);

/** @type {Map<Element, HTMLElement>} what could not be shown, by the panel */
const faults = new Map();

/**
 * Have a panel show something. That it cannot is no fault of the worker or of the others, which go on.
 * @param {HTMLElement} element
 * @param {() => void} show
 */
function shown(element, show) {
  try {
    show();
    faults.get(element)?.remove();
    faults.delete(element);
  } catch (error) {
    console.error(error);
    const fault = faults.get(element) ?? h("p", { class: "error fault", role: "alert" });
    text(fault, `This part of the page cannot show what the worker has sent, and shows what it had before: ${error}`);
    faults.set(element, fault);
    element.append(fault);
  }
}

follow({
  event(name, value) {
    if (name === "group") {
      for (const panel of panels) if (panel.group !== undefined) shown(panel.element, () => panel.group?.(value));
      document.body.dataset.group = String(value.at);
      return;
    }
    document.body.classList.remove("gone");
    shown(status.element, () => status.update(value));
    for (const panel of panels) if (panel.update !== undefined) shown(panel.element, () => panel.update?.(value));
    document.body.dataset.snapshot = String(value.time);
  },
  gone(why) {
    document.body.classList.add("gone");
    status.gone(why);
  },
  token: () => askForToken(content),
});
