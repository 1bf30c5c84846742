// @ts-check
/**
 * What the worker answers, as `streamapp/web/snapshot.py` and its neighbours have it.
 *
 * @typedef {{worker: string, live: boolean, ready: boolean, state: string, problems: string[],
 *   assigned: Record<string, number[]>}} Health
 * @typedef {{id: string, kind: "topic" | "table" | "agent" | "operator", name: string, noun: string, layer: number,
 *   row: number}} Node
 * @typedef {{source: string, target: string, way: "input" | "result" | "side" | "rows", count: number | null}} Edge
 * @typedef {{received: number, matched: number, unmatched: number, pending: number, late: number, rejected: number}}
 *   Balance
 * @typedef {{received: number, applied: number, late: number, rejected: number}} Updates
 * @typedef {{topic: string, reason: string, account: string, update: boolean, count: number}} Cause
 * @typedef {{partition: number, clock: number | null, read: Record<string, number | null>}} Clock
 * @typedef {{name: string, noun: string, topics: string[], since: "start" | "ever", balance: Balance,
 *   updates: Updates | null, holds: boolean, causes: Cause[], clocks: Clock[], explained: boolean}} Funnel
 * @typedef {{topic: string, partition: number, offset: number, key: string | null, timestamp: number | null,
 *   reason: string, detail: string, see: string}} Sample
 * @typedef {{topic: string, partition: number, records: number, seconds: number, waits_for: string[]}} Wait
 * @typedef {{key: string | null, timestamp: number | null, value: string | null}} Result
 * @typedef {{topic: string, sent: number, results: Result[]}} NewestResults
 * @typedef {{title: string, counts: Record<string, number>}} Shown
 * @typedef {{title: string, shown: Shown[], texts: Record<string, string>, topic: string}} Panel
 * @typedef {{time: number, version: string, app: string, guarantee: string, health: Health,
 *   read: Record<string, number>, partitions: Record<string, number>,
 *   topology: {nodes: Node[], edges: Edge[]}, funnels: Funnel[], waits: Wait[], held: number, enforced: number,
 *   results: NewestResults[], dead_letters: Sample[], panels: Panel[]}} Snapshot
 */
export {};
