// @ts-check
/** Rates of counts that only go up, over the last seconds. */

/** The seconds that a rate is of. */
const SPAN_MS = 10_000;

/** @typedef {{of: string, samples: {time: number, count: number}[]}} Counted */

export class Rates {
  constructor() {
    /** @type {Map<string, Counted>} */
    this.counted = new Map();
  }

  /**
   * Take in a count, and return its rate a second; null = it is not known yet. It begins anew with a worker that was
   * started again, when nothing was heard for longer than a rate is of, and when the count is one of other things.
   * @param {string} name
   * @param {number} count
   * @param {number} time (ms)
   * @param {string} [of] what is counted, such as the partitions: with a gained one comes all that it ever had
   * @returns {number | null}
   */
  of(name, count, time, of = "") {
    let counted = this.counted.get(name);
    const last = counted?.samples.at(-1);
    const goesOn = counted?.of === of && last !== undefined && count >= last.count && time >= last.time && time - last.time <= SPAN_MS;
    if (counted === undefined || !goesOn) {
      counted = { of, samples: [] };
      this.counted.set(name, counted);
    }
    const { samples } = counted;
    if (time !== samples.at(-1)?.time) samples.push({ time, count });
    while (samples.length > 2 && samples[1].time <= time - SPAN_MS) samples.shift();
    const [first] = samples;
    return time === first.time ? null : ((count - first.count) * 1000) / (time - first.time);
  }
}
