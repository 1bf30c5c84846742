// @ts-check
/** A chart of the last minutes, by uPlot; in the colours of the page, by day and by night. */

import { h } from "./dom.js";

const HEIGHT = 170;
const COLOURS = ["--matched", "--unmatched", "--late", "--rejected", "--good", "--pending"];
/** Lines are told apart by their dashes, too. */
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4], [1, 2]];

/** @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * @param {string} label what it shows
 * @param {(value: number) => string} format
 */
export function chart(label, format) {
  const element = h("div", { class: "chart", role: "img", "aria-label": label });
  /** @type {any} */
  let plot = null;
  let drawn = "";
  /** @type {[string[], (number | null)[][]] | null} */
  let last = null;

  /** @param {string[]} names @param {(number | null)[][]} columns the times (s) first */
  function show(names, columns) {
    last = [names, columns];
    const key = JSON.stringify(names);
    if (key !== drawn) {
      plot?.destroy();
      plot = null;
      drawn = key;
    }
    if (element.clientWidth === 0) return;
    if (plot === null) plot = make(names, columns);
    else plot.setData(columns);
  }

  /** @param {string[]} names @param {(number | null)[][]} columns */
  function make(names, columns) {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const lines = names.map((name, at) => ({
      label: name,
      stroke: colour(COLOURS[at % COLOURS.length]),
      dash: DASHES[at % DASHES.length],
      width: 1.6,
      points: { show: false },
      value: (/** @type {unknown} */ _plot, /** @type {number | null} */ value) => (value === null ? "–" : format(value)),
    }));
    const options = {
      width: element.clientWidth,
      height: HEIGHT,
      legend: { live: true },
      cursor: { y: false },
      series: [{ value: (/** @type {unknown} */ _plot, /** @type {number | null} */ at) => (at === null ? "" : new Date(at * 1000).toLocaleTimeString("en-GB")) }, ...lines],
      scales: { y: { range: (/** @type {unknown} */ _plot, /** @type {number} */ _min, /** @type {number} */ max) => [0, Math.max(max, 1) * 1.05] } },
      axes: [
        { ...axis, values: (/** @type {unknown} */ _plot, /** @type {number[]} */ times) => times.map((at) => new Date(at * 1000).toLocaleTimeString("en-GB").slice(0, 5)) },
        { ...axis, size: 64, values: (/** @type {unknown} */ _plot, /** @type {number[]} */ values) => values.map(format) },
      ],
    };
    const { uPlot } = /** @type {any} */ (window);
    return new uPlot(options, columns, element);
  }

  function again() {
    plot?.destroy();
    plot = null;
    if (last !== null) show(...last);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new ResizeObserver(() => {
    if (plot === null) again();
    else if (plot.width !== element.clientWidth) plot.setSize({ width: element.clientWidth, height: HEIGHT });
  }).observe(element);
  return { element, show };
}
