// @ts-check
/**
 * The hub: reads the live stream, once for all pages that are shown, and gives what comes to each of them.
 *
 * A browser has six connections of HTTP/1.1 for a host, which six streams would take up. And `EventSource` cannot send
 * a header, so the stream is read by hand.
 */

import { Unauthorized, ask, why } from "./api.js";

/** How long (ms) nothing may come before the worker is taken for gone, and when it is tried again. */
const SILENCE_MS = 5000;
const AGAIN_MS = 1000;
/** Why reading ends: nobody is left to read for. */
const LEFT = new Error("no page is shown");

/** @typedef {{token: string, shown: boolean}} FromPage */
/** @typedef {{name: string, data: string} | {gone: string} | {unauthorized: true}} ToPage */

export class Hub {
  constructor() {
    /** @type {Map<string, Stream>} by the token that is shown */
    this.streams = new Map();
  }

  /**
   * Serve a page, which says when it is shown and when it no longer is.
   * @param {MessagePort} port
   */
  add(port) {
    port.onmessage = (/** @type {MessageEvent<FromPage>} */ { data }) => {
      const wanted = data.shown ? this.stream(data.token) : null;
      for (const stream of this.streams.values()) if (stream !== wanted) stream.remove(port);
      wanted?.add(port);
    };
  }

  /** @param {string} token */
  stream(token) {
    const found = this.streams.get(token) ?? new Stream(token, () => this.streams.delete(token));
    this.streams.set(token, found);
    return found;
  }
}

class Stream {
  /** @param {string} token @param {() => void} ended called when there are no more pages */
  constructor(token, ended) {
    this.token = token;
    this.ended = ended;
    /** @type {Set<MessagePort>} */
    this.pages = new Set();
    /** @type {Map<string, string>} of each name the newest event, for a page that comes later */
    this.newest = new Map();
    this.aborter = new AbortController();
    this.runs = false;
  }

  /** @param {MessagePort} page */
  add(page) {
    if (this.pages.has(page)) return;
    this.pages.add(page);
    for (const [name, data] of this.newest) page.postMessage({ name, data });
    if (!this.runs) this.run();
  }

  /** @param {MessagePort} page */
  remove(page) {
    this.pages.delete(page);
    if (this.pages.size === 0) this.aborter.abort(LEFT);
  }

  /** @param {ToPage} message */
  tell(message) {
    for (const page of this.pages) page.postMessage(message);
  }

  /** Read for as long as there are pages, and again when the stream ends. */
  async run() {
    this.runs = true;
    while (this.pages.size > 0) {
      const reason = await this.read().then(() => "the worker has ended the connection", (/** @type {unknown} */ error) => error);
      this.newest.clear();
      if (reason instanceof Unauthorized) {
        this.tell({ unauthorized: true });
        this.pages.clear(); // they come again, with another token
      } else if (reason !== LEFT) {
        this.tell({ gone: typeof reason === "string" ? reason : why(reason, SILENCE_MS) });
        await new Promise((done) => setTimeout(done, AGAIN_MS));
      }
    }
    this.runs = false;
    this.ended();
  }

  async read() {
    const aborter = new AbortController();
    this.aborter = aborter;
    const silence = new Error("the worker is silent");
    let timer = setTimeout(() => aborter.abort(silence), SILENCE_MS);
    try {
      const response = await ask("/api/live", this.token, aborter.signal);
      const reader = /** @type {ReadableStream} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
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
        for (const [name, data] of newest) this.came(name.replace("event: ", ""), data.replace("data: ", ""));
      }
    } catch (error) {
      throw aborter.signal.aborted ? aborter.signal.reason : error;
    } finally {
      clearTimeout(timer);
      aborter.abort();
    }
  }

  /** @param {string} name @param {string} data */
  came(name, data) {
    this.newest.set(name, data);
    this.tell({ name, data });
  }
}
