// @ts-check
/** The topology: topics, joins, windows and agents as boxes in layers, with live rates on the arrows. */

import { h, list, section, set, svg, table, text } from "./dom.js";
import { count, rate } from "./format.js";
import { Rates } from "./rates.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Node} Box */
/** @typedef {import("./types.js").Edge} Edge */
/** @typedef {{x: number, y: number}} Point */

const BOX = { width: 152, height: 38 };
const ROW = 54;
const COLUMN = 222;
const MARGIN = 12;
const NAME_CHARACTERS = 23;
/** How much smaller than it is drawn the picture may be shown; where that is too wide, it can be scrolled. */
const SMALLEST = 0.72;
const SAID = { input: "reads", result: "sends", side: "sets aside", rows: "rows" };

/** @param {Edge} edge */
const keyOf = (edge) => `${edge.source} ${edge.target} ${edge.way}`;

export function topologyPanel() {
  const picture = h("div", { class: "scrolls picture", tabindex: 0, role: "region", "aria-label": "Picture of the topology" });
  const arrows = table("Arrows of the topology", ["from", "", "to", "records#", "rate#"]);
  const element = section("topology", "Topology", picture, h("details", {}, h("summary", {}, "As a table"), arrows.element));
  const rates = new Rates();
  const rows = list(arrows.body, keyOf, arrowRow);
  let drawn = "";
  /** @type {Map<string, SVGElement>} */
  let labels = new Map();

  return {
    element,
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      const { nodes, edges } = snapshot.topology;
      const key = JSON.stringify([nodes, edges.map(keyOf)]);
      if (key !== drawn) {
        drawn = key;
        labels = new Map();
        picture.replaceChildren(draw(nodes, edges, labels));
      }
      const names = new Map(nodes.map((node) => [node.id, node.name]));
      const shown = edges.map((edge) => ({
        ...edge,
        from: names.get(edge.source) ?? edge.source,
        to: names.get(edge.target) ?? edge.target,
        rate: edge.count === null ? "" : rate(rates.of(keyOf(edge), edge.count, snapshot.time)),
      }));
      for (const edge of shown) text(/** @type {Element} */ (labels.get(keyOf(edge))), edge.rate);
      rows(shown);
    },
  };
}

/** @typedef {Edge & {from: string, to: string, rate: string}} Arrow */

/** @param {Arrow} arrow */
function arrowRow(arrow) {
  const records = h("td", { class: "number" });
  const perSecond = h("td", { class: "number" });
  const element = h(
    "tr",
    {},
    h("td", {}, arrow.from),
    h("td", { class: "quiet" }, SAID[arrow.way]),
    h("td", {}, arrow.to),
    records,
    perSecond,
  );
  return {
    element,
    update(/** @type {Arrow} */ one) {
      text(records, one.count === null ? "" : count(one.count));
      text(perSecond, one.rate);
    },
  };
}

/**
 * Draw boxes and arrows, and keep the labels of the arrows.
 * @param {Box[]} nodes
 * @param {Edge[]} edges
 * @param {Map<string, SVGElement>} labels
 */
function draw(nodes, edges, labels) {
  const places = new Map(nodes.map((node) => [node.id, { x: MARGIN + node.layer * COLUMN, y: MARGIN + node.row * ROW }]));
  const width = Math.max(...[...places.values()].map((place) => place.x), 0) + BOX.width + MARGIN;
  const height = Math.max(...[...places.values()].map((place) => place.y), 0) + BOX.height + MARGIN;
  const ends = ports(edges, places);
  const lines = edges.map((edge) => line(edge, ends));
  const texts = edges.map((edge) => {
    const [from, to] = endsOf(edge, ends);
    const label = svg("text", { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 - 4, class: "rate" });
    labels.set(keyOf(edge), label);
    return label;
  });
  const names = `${nodes.length} boxes and ${edges.length} arrows; the table below has them in words`;
  const arrow = svg(
    "marker",
    { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    svg("path", { d: "M0 0L8 4L0 8z" }),
  );
  const drawing = svg(
    "svg",
    { role: "img", "aria-label": names, viewBox: `0 0 ${width} ${height}` },
    svg("defs", {}, arrow),
    ...lines,
    ...nodes.map((node) => box(node, /** @type {Point} */ (places.get(node.id)))),
    ...texts,
  );
  drawing.style.maxWidth = `${width}px`;
  drawing.style.minWidth = `${width * SMALLEST}px`;
  return drawing;
}

/** @param {Box} node @param {Point} at */
function box(node, at) {
  const name = node.name.length > NAME_CHARACTERS ? `${node.name.slice(0, NAME_CHARACTERS - 1)}…` : node.name;
  const round = node.kind === "topic" ? 3 : node.kind === "table" ? 12 : 19;
  const group = svg(
    "g",
    { class: `box ${node.kind}`, transform: `translate(${at.x} ${at.y})` },
    svg("title", {}, `${node.noun} ${node.name}`),
    svg("rect", { width: BOX.width, height: BOX.height, rx: round }),
    svg("text", { x: BOX.width / 2, y: 16, class: "name" }, name),
    svg("text", { x: BOX.width / 2, y: 30, class: "noun" }, node.noun),
  );
  set(group, "data-id", node.id);
  return group;
}

/** @typedef {Map<string, {from: Point, to: Point}>} Ends */

/**
 * Spread the ends of arrows over the sides of their boxes, in the order of where they lead, so that few cross.
 * @param {Edge[]} edges
 * @param {Map<string, Point>} places
 * @returns {Ends}
 */
function ports(edges, places) {
  /** @type {Ends} */
  const ends = new Map(edges.map((edge) => [keyOf(edge), { from: { x: 0, y: 0 }, to: { x: 0, y: 0 } }]));
  for (const [id, place] of places) {
    const out = edges.filter((edge) => edge.source === id).sort((one, other) => y(places, one.target) - y(places, other.target));
    const into = edges.filter((edge) => edge.target === id).sort((one, other) => y(places, one.source) - y(places, other.source));
    out.forEach((edge, at) => {
      const end = /** @type {{from: Point}} */ (ends.get(keyOf(edge)));
      end.from = { x: place.x + BOX.width, y: place.y + (BOX.height * (at + 1)) / (out.length + 1) };
    });
    into.forEach((edge, at) => {
      const end = /** @type {{to: Point}} */ (ends.get(keyOf(edge)));
      end.to = { x: place.x, y: place.y + (BOX.height * (at + 1)) / (into.length + 1) };
    });
  }
  return ends;
}

/** @param {Map<string, Point>} places @param {string} id */
const y = (places, id) => places.get(id)?.y ?? 0;

/** @param {Edge} edge @param {Ends} ends @returns {[Point, Point]} */
function endsOf(edge, ends) {
  const { from, to } = /** @type {{from: Point, to: Point}} */ (ends.get(keyOf(edge)));
  return [from, to];
}

/** @param {Edge} edge @param {Ends} ends */
function line(edge, ends) {
  const [from, to] = endsOf(edge, ends);
  const bend = Math.max(30, (to.x - from.x) / 2);
  const d = `M${from.x} ${from.y}C${from.x + bend} ${from.y} ${to.x - bend} ${to.y} ${to.x} ${to.y}`;
  return svg("path", { d, class: `way ${edge.way}`, "marker-end": "url(#arrow)" });
}
