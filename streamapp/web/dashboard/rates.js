// @ts-check
/** Rates of counts that only go up, over the last seconds; a worker that was started again begins anew. */

/** The seconds that a rate is of. */
const SPAN_MS = 10_000;

export class Rates {
  constructor() {
    /** @type {Map<string, {time: number, count: number}[]>} */
    this.samples = new Map();
  }

  /**
   * Take in a count, and return its rate a second; null = it is not known yet.
   * @param {string} name
   * @param {number} count
   * @param {number} time (ms)
   * @returns {number | null}
   */
  of(name, count, time) {
    let samples = this.samples.get(name);
    const last = samples?.at(-1);
    if (samples === undefined || last === undefined || count < last.count || time < last.time) {
      samples = [];
      this.samples.set(name, samples);
    }
    if (time !== samples.at(-1)?.time) samples.push({ time, count });
    while (samples.length > 2 && samples[1].time <= time - SPAN_MS) samples.shift();
    const [first] = samples;
    return time === first.time ? null : ((count - first.count) * 1000) / (time - first.time);
  }
}
