import { describe, expect, it } from "vitest";
import { MetricHistory, type MetricSample } from "./history.ts";

const hour = 3_600_000;

function sample(timeMs: number, cpuUsedPercent = 1): MetricSample {
  return {
    timeMs,
    cpuUsedPercent,
    memoryUsedBytes: timeMs,
    memoryTotalBytes: 512,
    memoryCacheBytes: 3,
    diskUsedBytes: 4,
    diskTotalBytes: 5,
  };
}

/** A history measured every 5 s from `from` on, with a peak of 100 % at the times of `peaks`. */
function measured(from: number, until: number, peaks: readonly number[] = []): MetricHistory {
  const history = new MetricHistory(5_000);
  for (let time = from; time < until; time += 5_000) history.add(sample(time, peaks.includes(time) ? 100 : 1));
  return history;
}

describe("what a sandbox used over time", () => {
  it("is there as it was measured for the last three quarters of an hour and more", () => {
    const history = measured(0, 3 * hour);
    const last = history.between(3 * hour - 45 * 60_000, 3 * hour);
    expect(last).toHaveLength(540);
    expect(last[0]).toEqual(sample(3 * hour - 45 * 60_000));
    expect(history.latest).toEqual(sample(3 * hour - 5_000));
  });

  it("covers a whole day in a bounded number of measurements, without gaps and in order", () => {
    const times = measured(0, 24 * hour)
      .between(0, 24 * hour)
      .map(({ timeMs }) => timeMs);
    expect(times.length).toBeLessThanOrEqual(1_440);
    expect(times[0]).toBe(0);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThan(0);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(160_000);
  });

  it("shows a short peak however long ago it was", () => {
    const peak = 7 * hour + 15_000;
    const peaks = measured(0, 24 * hour, [peak])
      .between(6 * hour, 8 * hour)
      .filter(({ cpuUsedPercent }) => cpuUsedPercent === 100);
    expect(peaks).toHaveLength(1);
    expect(Math.abs((peaks[0]?.timeMs ?? 0) - peak)).toBeLessThan(160_000);
  });

  it("is asked for by a range with both ends in it", () => {
    const history = measured(0, 60_000);
    expect(history.between(10_000, 20_000).map(({ timeMs }) => timeMs)).toEqual([10_000, 15_000, 20_000]);
    expect(history.between(61_000, 90_000)).toEqual([]);
  });
});
