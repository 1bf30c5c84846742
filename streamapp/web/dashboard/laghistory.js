// @ts-check
/** The lag of topics over the last minutes, from what the workers have kept and what the page has seen itself. */

/** Seconds between two points, and how many there are of a topic: 15 minutes. */
export const EVERY_S = 5;
const KEPT = 180;

/** @typedef {{lag: number, partitions: number}} Point a sum, and of how many partitions it is */

export class LagHistory {
  constructor() {
    /** @type {Map<string, Map<number, Point>>} by topic and time (s) */
    this.topics = new Map();
  }

  /**
   * Take in a point. What a dead worker kept is gone with it: a sum of fewer partitions takes no place of one of more.
   * @param {string} topic
   * @param {number} at (s)
   * @param {Point} point
   */
  note(topic, at, point) {
    const points = this.topics.get(topic) ?? new Map();
    this.topics.set(topic, points);
    const slot = Math.floor(at / EVERY_S) * EVERY_S;
    if ((points.get(slot)?.partitions ?? 0) > point.partitions) return;
    points.set(slot, point);
    while (points.size > KEPT) points.delete(Math.min(...points.keys()));
  }

  /**
   * Return the lag of topics as columns, by common times (s), which come first; null = not of all partitions.
   * @param {{topic: string, partitions: number}[]} topics with how many partitions they have
   * @returns {(number | null)[][]}
   */
  columns(topics) {
    const all = topics.map(({ topic, partitions }) => ({ partitions, points: this.topics.get(topic) ?? new Map() }));
    const times = [...new Set(all.flatMap(({ points }) => [...points.keys()]))].sort((one, other) => one - other);
    const whole = (/** @type {Point | undefined} */ point, /** @type {number} */ partitions) =>
      point === undefined || point.partitions < partitions ? null : point.lag;
    return [times, ...all.map(({ points, partitions }) => times.map((time) => whole(points.get(time), partitions)))];
  }
}
