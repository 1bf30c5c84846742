// @ts-check
/** The live stream, as a page has it: while it is shown, and from the hub that all pages of this browser share. */

import { token } from "./api.js";
import { Hub } from "./hub.js";

/** How long (ms) the hub may be silent, which tells at least each few seconds that the worker is gone. */
const SILENCE_MS = 10_000;

/** @typedef {import("./hub.js").ToPage} ToPage */

/**
 * Follow the snapshots of the worker for ever.
 * @param {{event: (name: string, value: any) => void, gone: (why: string) => void, token: () => Promise<void>}} to
 */
export function follow(to) {
  /** @type {MessagePort} */
  let port;
  let asking = false;
  let timer = 0;

  function begin(again = false) {
    if (again) {
      port.postMessage({ token: "", shown: false });
      port.onmessage = null;
    }
    port = connection(() => begin(true));
    port.onmessage = ({ data }) => void came(data);
    tell();
  }

  const shown = () => document.visibilityState === "visible";

  function tell() {
    if (!asking) port.postMessage({ token: token(), shown: shown() });
    watch();
  }

  function watch() {
    clearTimeout(timer);
    if (asking || !shown()) return;
    timer = setTimeout(() => {
      to.gone("nothing comes");
      begin(true);
    }, SILENCE_MS);
  }

  /** @param {ToPage} message */
  async function came(message) {
    watch();
    if ("unauthorized" in message) {
      if (asking) return;
      asking = true;
      watch();
      await to.token();
      asking = false;
      tell();
    } else if ("gone" in message) {
      to.gone(message.gone);
    } else {
      to.event(message.name, JSON.parse(message.data));
    }
  }

  document.addEventListener("visibilitychange", tell);
  addEventListener("pagehide", () => port.postMessage({ token: "", shown: false }));
  addEventListener("pageshow", (event) => event.persisted && tell());
  begin();
}

/** Whether the browser can share a hub; the one on Android cannot. */
let shares = "SharedWorker" in globalThis;

/**
 * Connect to the hub, or to one of this page alone where the browser cannot share one.
 * @param {() => void} failed called if it turns out that it cannot
 * @returns {MessagePort}
 */
function connection(failed) {
  if (shares) {
    const worker = new SharedWorker(new URL("sharedhub.js", import.meta.url), { type: "module" });
    worker.onerror = () => {
      shares = false;
      failed();
    };
    return worker.port;
  }
  const { port1, port2 } = new MessageChannel();
  new Hub().add(port2);
  return port1;
}
