// @ts-check
/** Quantiles of histograms, of what came into their buckets lately. */

const SPAN_MS = 60_000;

/** Remembers how the counts of histograms stood. */
export class Buckets {
  constructor() {
    /** @type {Map<string, {time: number, counts: number[]}[]>} */
    this.samples = new Map();
  }

  /**
   * Take in the counts of a histogram, and return how many of them came in the last minute, as far as it was looked at
   * since then; null = they were not looked at before: a first look has all since the worker's start.
   * @param {string} name
   * @param {number[]} counts
   * @param {number} time (ms)
   * @returns {number[] | null}
   */
  lately(name, counts, time) {
    let samples = this.samples.get(name) ?? [];
    const last = samples.at(-1);
    const goesOn =
      last !== undefined && time >= last.time && time - last.time <= SPAN_MS && counts.every((value, at) => value >= last.counts[at]);
    if (!goesOn) samples = [];
    if (time !== samples.at(-1)?.time) samples.push({ time, counts });
    while (samples.length > 2 && samples[1].time <= time - SPAN_MS) samples.shift();
    this.samples.set(name, samples);
    return samples.length === 1 ? null : counts.map((value, at) => value - samples[0].counts[at]);
  }
}

/**
 * Return the value that a share of all are at most, as Prometheus' `histogram_quantile` does: in its bucket they are
 * taken to be evenly spread. Null = there are none; more than the last bound = so much is all that is known.
 * @param {number} share
 * @param {number[]} bounds
 * @param {number[]} counts one more than bounds
 * @returns {number | null}
 */
export function quantile(share, bounds, counts) {
  const total = counts.reduce((one, other) => one + other, 0);
  if (total === 0) return null;
  let left = share * total;
  for (let at = 0; at < bounds.length; at += 1) {
    if (left <= counts[at] && counts[at] > 0) {
      const below = at === 0 ? 0 : bounds[at - 1];
      return below + ((bounds[at] - below) * left) / counts[at];
    }
    left -= counts[at];
  }
  return Infinity;
}
