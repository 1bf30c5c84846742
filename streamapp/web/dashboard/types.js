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
 * @typedef {{name: string, noun: string, topics: string[], partitions: number[], since: "start" | "ever", balance: Balance,
 *   updates: Updates | null, holds: boolean | null, causes: Cause[], clocks: Clock[], explained: boolean}} Funnel
 * @typedef {{topic: string, partition: number, offset: number, key: string | null, timestamp: number | null,
 *   reason: string, detail: string, see: string}} Sample
 * @typedef {{topic: string, partition: number, records: number, seconds: number, waits_for: string[]}} Wait
 * @typedef {{key: string | null, timestamp: number | null, value: string | null}} Result
 * @typedef {{topic: string, partition: number, offset: number, seconds: number, at: number,
 *   see: string}} SlowRecord
 * @typedef {{bounds: number[], counts: number[], slow: SlowRecord | null}} Buckets
 * @typedef {{topic: string, sent: number, latency: Buckets, results: Result[]}} NewestResults
 * @typedef {{title: string, counts: Record<string, number>}} Shown
 * @typedef {{title: string, shown: Shown[], texts: Record<string, string>, topic: string}} Panel
 * @typedef {{time: number, version: string, app: string, guarantee: string, health: Health,
 *   read: Record<string, number>, partitions: Record<string, number>,
 *   topology: {nodes: Node[], edges: Edge[]}, funnels: Funnel[], waits: Wait[], held: number, enforced: number,
 *   results: NewestResults[], commits: {seconds: Buckets, failed: number} | null, dead_letters: Sample[], panels: Panel[]}} Snapshot
 * @typedef {{topic: string, partition: number, owner: string, told: boolean, at: number | null, end: number | null,
 *   committed: number | null, lag: number | null, lag_seconds: number | null, written_per_s: number | null,
 *   committed_per_s: number | null}} PartitionView
 * @typedef {{topic: string, partitions: number, lag: number | null, known_lag: number, unknown: number, lag_seconds: number | null,
 *   written_per_s: number | null, committed_per_s: number | null, unowned: number[]}} TopicView
 * @typedef {{partitions: number, rows_read: number, rows_left: number, seconds_left: number | null}} Recovery
 * @typedef {{member: string, url: string, answers: boolean, error: string, state: string, ready: boolean,
 *   problems: string[], assigned: Record<string, number[]>, standbys: Record<string, number[]>,
 *   recovery: Recovery | null}} WorkerView
 * @typedef {{group: string, state: string, at: number, lag: number | null, known_lag: number, unknown: number, lag_seconds: number | null,
 *   workers: WorkerView[], topics: TopicView[], partitions: PartitionView[]}} Group
 * @typedef {{topic: string, partition: number | null, at: number[], lag: number[], lag_seconds: (number | null)[],
 *   written_per_s: (number | null)[], committed_per_s: (number | null)[], partitions: number[]}} Series
 * @typedef {{name: string, help: string, kind: string, rows: number, bytes: number, lag: number | null,
 *   clock: number | null, partitions: {partition: number, owner: string | null, rows: number | null,
 *   bytes: number | null, reason: string | null}[]}} TableState
 * @typedef {{key: string, value: unknown, value_base64?: string | null, time: number}} Row
 */
export {};
