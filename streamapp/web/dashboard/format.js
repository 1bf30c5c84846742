// @ts-check
/** Numbers and times as people read them. */

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** @param {number} value */
export const count = (value) => whole.format(value);

/** @param {number | null} value records a second */
export function rate(value) {
  if (value === null) return "";
  if (value > 0 && value < 10) return `${value.toFixed(1)}/s`;
  return `${value < 10000 ? whole.format(Math.round(value)) : short.format(value)}/s`;
}

/** @param {number} value bytes */
export function bytes(value) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = value > 0 ? Math.min(units.length - 1, Math.floor(Math.log10(value) / 3)) : 0;
  const scaled = value / 1000 ** power;
  return `${power === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${units[power]}`;
}

/** @param {number} ms a duration */
export function duration(ms) {
  const size = Math.abs(ms);
  if (size < 1000) return `${size < 10 && size > 0 ? size.toFixed(1) : Math.round(size)} ms`;
  if (size < 60_000) return `${(size / 1000).toFixed(size < 10_000 ? 1 : 0)} s`;
  const minutes = Math.round(size / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 72 ? `${hours} h` : `${count(Math.round(hours / 24))} days`;
}

/** @param {number} part @param {number} of */
export function share(part, of) {
  if (of === 0) return "";
  const percent = (100 * part) / of;
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  return `${percent >= 99.95 && part < of ? "> 99.9" : percent.toFixed(1)} %`;
}

/** @param {number | null} ms since 1970 */
export function moment(ms) {
  if (ms === null) return "";
  const date = new Date(ms);
  // A timestamp of Kafka may be any number, such as nanoseconds by mistake.
  return Number.isNaN(date.getTime()) ? `${count(ms)} ms` : date.toISOString().replace("T", " ").slice(0, 23);
}

/** @param {number | null} ms since 1970 */
export function timeOfDay(ms) {
  return ms === null ? "" : new Date(ms).toLocaleTimeString("en-GB");
}

/** @param {string} name such as "null_key" */
export const words = (name) => name.replaceAll("_", " ");
