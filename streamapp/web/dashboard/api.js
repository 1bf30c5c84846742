// @ts-check
/** Asks the worker. A token is kept in this tab, sent in a header, and never a part of an address. */

const TOKEN = "streamapp-token";
/** How long (ms) an answer may take, if nothing is said. */
const ANSWER_MS = 10_000;

export class Unauthorized extends Error {
  constructor() {
    super("the worker wants another token: reload this page");
  }
}

/** @returns {string} "" = there is none */
export const token = () => sessionStorage.getItem(TOKEN) ?? "";

/** @param {string} value "" = forget it */
export function keepToken(value) {
  if (value) sessionStorage.setItem(TOKEN, value);
  else sessionStorage.removeItem(TOKEN);
}

/**
 * Ask for a path.
 * @param {string} path
 * @param {string} shown the token
 * @param {AbortSignal} signal
 * @returns {Promise<Response>}
 */
export async function ask(path, shown, signal) {
  /** @type {Record<string, string>} */
  const headers = shown ? { Authorization: `Bearer ${shown}` } : {};
  const response = await fetch(path, { headers, signal, cache: "no-store", credentials: "omit" });
  if (response.status === 401) throw new Unauthorized();
  if (!response.ok) {
    const body = await response.json().catch(() => null);
    throw new Error(body?.error ?? `the worker answered ${response.status}`);
  }
  return response;
}

/**
 * Get text; an Error has what the worker says is wrong, or that it does not answer.
 * @param {string} path
 * @param {number} [within] (ms)
 * @returns {Promise<string>}
 */
export async function getText(path, within = ANSWER_MS) {
  try {
    return await (await ask(path, token(), AbortSignal.timeout(within))).text();
  } catch (error) {
    throw new Error(why(error, within));
  }
}

/**
 * Get JSON, as `getText` does.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function get(path) {
  return JSON.parse(await getText(path));
}

/**
 * Return in words why there is no answer.
 * @param {unknown} error
 * @param {number} within (ms)
 */
export function why(error, within) {
  const { name, message } = /** @type {Error} */ (error);
  if (name === "TimeoutError") return `the worker gave no answer within ${within / 1000} s`;
  return error instanceof TypeError ? "the worker does not answer" : message;
}
