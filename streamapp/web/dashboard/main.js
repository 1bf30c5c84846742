// @ts-check
/** The page: makes the panels, and gives each snapshot to all of them. */

import { follow } from "./api.js";
import { appPanels } from "./apppanels.js";
import { h } from "./dom.js";
import { Explanations } from "./explanation.js";
import { funnelsPanel } from "./funnels.js";
import { lagPanel } from "./lag.js";
import { latencyPanel } from "./latency.js";
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

follow({
  event(name, value) {
    if (name === "group") {
      for (const panel of panels) panel.group?.(value);
      document.body.dataset.group = String(value.at);
      return;
    }
    document.body.classList.remove("gone");
    status.update(value);
    for (const panel of panels) panel.update?.(value);
    document.body.dataset.snapshot = String(value.time);
  },
  gone(why) {
    document.body.classList.add("gone");
    status.gone(why);
  },
  token: () => askForToken(content),
});
