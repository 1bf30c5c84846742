// @ts-check
/** Elements, made and kept up to date. All text goes in as text: nothing that comes from data is ever taken for HTML. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | null | undefined} Child */

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] `on…` are listeners; false, null and undefined are left out
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  return /** @type {HTMLElement} */ (filled(document.createElement(tag), attributes, children));
}

/**
 * Make an element of SVG.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  return /** @type {SVGElement} */ (filled(document.createElementNS(SVG, tag), attributes, children));
}

/**
 * @param {Element} element
 * @param {Record<string, unknown>} attributes
 * @param {Child[]} children
 */
function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on") && typeof value === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else {
      set(element, name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * Set an attribute, if it is another one.
 * @param {Element} element
 * @param {string} name
 * @param {unknown} value
 */
export function set(element, name, value) {
  if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
  } else {
    const text = value === true ? "" : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/**
 * Set the text of an element, if it is another one: what a reader selects or has read out stays as it is.
 * @param {Element} element
 * @param {unknown} value
 */
export function text(element, value) {
  const shown = value === null || value === undefined ? "" : String(value);
  if (element.textContent !== shown) element.textContent = shown;
}

/**
 * Keep the children of an element like a list: those that stay are moved and updated, not made again, so that what is
 * open or has the focus stays so.
 * @template T
 * @param {Element} parent
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => {element: Element, update?: (item: T) => void}} make
 * @returns {(items: readonly T[]) => void}
 */
export function list(parent, keyOf, make) {
  /** @type {Map<string, {element: Element, update?: (item: T) => void}>} */
  const rows = new Map();
  return (items) => {
    const kept = new Set(items.map(keyOf));
    for (const [key, row] of rows) {
      if (!kept.has(key)) {
        row.element.remove();
        rows.delete(key);
      }
    }
    let before = parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      let row = rows.get(key);
      if (row === undefined) {
        row = make(item);
        rows.set(key, row);
      }
      row.update?.(item);
      if (row.element === before) before = before.nextElementSibling;
      else parent.insertBefore(row.element, before);
    }
  };
}

/**
 * Make a table with a heading row; a region of its own, that can be scrolled by keys where it is too wide.
 * @param {string} label what it shows
 * @param {string[]} columns a name that ends with "#" is of numbers
 * @returns {{element: HTMLElement, body: HTMLElement}}
 */
export function table(label, columns) {
  const body = h("tbody");
  const heads = columns.map((name) =>
    h("th", { scope: "col", class: name.endsWith("#") ? "number" : null }, name.replace("#", "")),
  );
  const element = h("table", {}, h("caption", { class: "hidden" }, label), h("thead", {}, h("tr", {}, ...heads)), body);
  return { element: h("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": label }, element), body };
}

/**
 * Make a section with a heading, and a link to it.
 * @param {string} id
 * @param {string} title
 * @param {...Child} children
 */
export function section(id, title, ...children) {
  const heading = h("h2", { id: `${id}-title` }, title);
  return h("section", { id, "aria-labelledby": `${id}-title` }, heading, ...children);
}
