// @ts-check
/** The page: makes the panels, and gives each snapshot to all of them. */

import { follow } from "./api.js";
import { h } from "./dom.js";
import { Explanations } from "./explanation.js";
import { appPanels } from "./apppanels.js";
import { funnelsPanel } from "./funnels.js";
import { resultsPanel } from "./results.js";
import { statusLine } from "./status.js";
import { askForToken } from "./token.js";
import { topologyPanel } from "./topology.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {{element: HTMLElement, update: (snapshot: Snapshot) => void}} Panel */

const content = /** @type {HTMLElement} */ (document.getElementById("content"));
const status = statusLine(/** @type {HTMLElement} */ (document.getElementById("status")));
const explanations = new Explanations();
/** @type {Panel[]} */
const panels = [topologyPanel(), funnelsPanel(explanations), appPanels(), resultsPanel(explanations)];

content.append(...panels.map((panel) => panel.element));
document.body.append(explanations.element);
/** @type {HTMLElement} */ (document.getElementById("sections")).append(
  ...[...content.querySelectorAll("section[id]")].map((section) =>
    h("a", { href: `#${section.id}` }, section.querySelector("h2")?.textContent),
  ),
);

follow({
  snapshot(/** @type {Snapshot} */ snapshot) {
    document.body.classList.remove("gone");
    status.update(snapshot);
    for (const panel of panels) panel.update(snapshot);
    document.body.dataset.snapshot = String(snapshot.time);
  },
  gone(why) {
    document.body.classList.add("gone");
    status.gone(why);
  },
  token: () => askForToken(content),
});
