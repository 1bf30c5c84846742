// @ts-check
/** Asks the worker. A token is kept in this tab, sent in a header, and never a part of an address. */

const TOKEN = "streamapp-token";

export class Unauthorized extends Error {}

/** @param {string} token "" = forget it */
export function keepToken(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

/** @returns {Record<string, string>} */
function headers() {
  const token = sessionStorage.getItem(TOKEN);
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
async function ask(path, signal) {
  const response = await fetch(path, { headers: headers(), signal, cache: "no-store", credentials: "omit" });
  if (response.status === 401) throw new Unauthorized();
  return response;
}

/**
 * Get JSON; an Error has what the worker says is wrong.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function get(path) {
  const response = await ask(path);
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Error(body?.error ?? `the worker answered ${response.status}`);
  return body;
}

/** How long (ms) nothing may come before the worker is taken for gone, and when it is tried again. */
const SILENCE_MS = 5000;
const AGAIN_MS = 1000;

/**
 * Follow the snapshots of the worker for ever: `EventSource` cannot send a header, so the stream is read by hand.
 * @param {{event: (name: string, value: any) => void, gone: (why: string) => void, token: () => Promise<void>}} to
 */
export async function follow(to) {
  for (;;) {
    try {
      await read(to.event);
      to.gone("the worker has ended the connection");
    } catch (error) {
      if (error instanceof Unauthorized) {
        await to.token();
        continue;
      }
      to.gone(error instanceof TypeError ? "the worker does not answer" : String(/** @type {Error} */ (error).message));
    }
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

/** @param {(name: string, value: any) => void} event */
async function read(event) {
  const aborter = new AbortController();
  const silence = new Error("the worker is silent");
  let timer = setTimeout(() => aborter.abort(silence), SILENCE_MS);
  try {
    const response = await ask("/api/live", aborter.signal);
    if (!response.ok || response.body === null) {
      const body = await response.json().catch(() => null);
      throw new Error(body?.error ?? `the worker answered ${response.status}`);
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => aborter.abort(silence), SILENCE_MS);
      const events = (rest + value).split("\n\n");
      rest = events.pop() ?? "";
      // Of several of one name, the newest is what there is to show.
      const newest = new Map(events.map((text) => /** @type {[string, string]} */ (text.split("\n"))));
      for (const [name, data] of newest) event(name.replace("event: ", ""), JSON.parse(data.replace("data: ", "")));
    }
  } finally {
    clearTimeout(timer);
    aborter.abort();
  }
}
