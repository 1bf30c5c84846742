// @ts-check
/** The hub that all pages of this browser share; run as a `SharedWorker`. */

import { Hub } from "./hub.js";

const hub = new Hub();
/** @type {any} */ (globalThis).onconnect = (/** @type {MessageEvent} */ event) => hub.add(event.ports[0]);
