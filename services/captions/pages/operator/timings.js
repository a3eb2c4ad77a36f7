// How long the engines took, over a session: percentiles for each language and runtime. Pure.

// The least value that is at least as great as this share of all (nearest rank); null of nothing.
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

export class Timings {
  #columns = new Map(); // "language runtime" -> {model, values: Map(segment id -> ms)}

  // runtime: "A" gives what is shown, "B" is compared with it.
  add(language, runtime, segmentId, engineMs, model) {
    const key = `${language} ${runtime}`;
    const column = this.#columns.get(key) ?? { model, values: new Map() };
    column.model = model;
    column.values.set(segmentId, engineMs);
    this.#columns.set(key, column);
  }

  // {model, count, p50Ms, p95Ms}; null without any.
  of(language, runtime) {
    const column = this.#columns.get(`${language} ${runtime}`);
    if (!column) return null;
    const values = [...column.values.values()];
    return {
      model: column.model,
      count: values.length,
      p50Ms: percentile(values, 0.5),
      p95Ms: percentile(values, 0.95),
    };
  }
}
