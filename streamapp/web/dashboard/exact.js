// @ts-check
/** JSON with its numbers as they are written: a double rounds integers over 2^53, and makes 1 of 1.0. */

/** Whether the browser can: those before 2025 may not. */
export const isExact = "rawJSON" in JSON;

/**
 * Parse JSON so that `JSON.stringify` gives each number as it was.
 * @param {string} text
 * @returns {any}
 */
export function exactly(text) {
  const { parse, rawJSON } = /** @type {any} */ (JSON);
  if (!isExact) return parse(text);
  return parse(text, (/** @type {string} */ _key, /** @type {unknown} */ value, /** @type {{source: string}} */ { source }) =>
    typeof value === "number" && String(value) !== source ? rawJSON(source) : value,
  );
}
