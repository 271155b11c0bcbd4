/** One measurement of one execution. */
export interface MetricSample {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  /** Share of the processors that it may use, 0 to 100. */
  readonly cpuUsedPercent: number;
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
  readonly memoryCacheBytes: number;
  readonly diskUsedBytes: number;
  readonly diskTotalBytes: number;
}

const fields = [
  "timeMs",
  "cpuUsedPercent",
  "memoryUsedBytes",
  "memoryTotalBytes",
  "memoryCacheBytes",
  "diskUsedBytes",
  "diskTotalBytes",
] as const satisfies readonly (keyof MetricSample)[];

/** Measurements of each kind that are kept: an hour of one every 5 s. */
const capacity = 720;

/**
 * The measurements of one execution in bounded memory, 79 KiB: the newest 720 as they are, and the whole life in at most
 * 720 intervals of equal length, which doubles whenever they are used up. An interval shows the largest values in it.
 */
export class MetricHistory {
  readonly #recent = new Series();
  readonly #life = new Series();
  #intervalMs: number;

  /** `everyMs` is the time between two measurements. */
  constructor(everyMs: number) {
    this.#intervalMs = everyMs;
  }

  add(sample: MetricSample): void {
    if (this.#recent.length === capacity) this.#recent.drop(capacity / 4);
    this.#recent.push(sample);
    if (this.#life.length === capacity && !this.#sharesInterval(sample)) {
      this.#intervalMs *= 2;
      this.#life.merge((a, b) => this.#intervalOf(a) === this.#intervalOf(b));
    }
    if (this.#sharesInterval(sample)) this.#life.raiseLast(sample);
    else this.#life.push(sample);
  }

  get latest(): MetricSample | undefined {
    return this.#recent.length === 0 ? undefined : this.#recent.at(this.#recent.length - 1);
  }

  /** Both ends inclusive, oldest first. */
  between(fromMs: number, toMs: number): MetricSample[] {
    const detailedFrom = this.#recent.length === 0 ? Number.POSITIVE_INFINITY : this.#recent.at(0).timeMs;
    const inRange = ({ timeMs }: MetricSample) => timeMs >= fromMs && timeMs <= toMs;
    return [
      ...this.#life.all().filter((sample) => sample.timeMs < detailedFrom && inRange(sample)),
      ...this.#recent.all().filter(inRange),
    ];
  }

  #sharesInterval({ timeMs }: MetricSample): boolean {
    const { length } = this.#life;
    return length > 0 && this.#intervalOf(this.#life.at(length - 1).timeMs) === this.#intervalOf(timeMs);
  }

  #intervalOf(timeMs: number): number {
    return Math.floor(timeMs / this.#intervalMs);
  }
}

/** Samples in the order of time, as plain numbers in one block. */
class Series {
  readonly #values = new Float64Array(capacity * fields.length);
  length = 0;

  push(sample: MetricSample): void {
    this.#write(this.length, sample);
    this.length += 1;
  }

  at(index: number): MetricSample {
    const value = (field: number) => this.#values[index * fields.length + field] ?? 0;
    return {
      timeMs: value(0),
      cpuUsedPercent: value(1),
      memoryUsedBytes: value(2),
      memoryTotalBytes: value(3),
      memoryCacheBytes: value(4),
      diskUsedBytes: value(5),
      diskTotalBytes: value(6),
    };
  }

  all(): MetricSample[] {
    return Array.from({ length: this.length }, (_, index) => this.at(index));
  }

  /** Forgets the oldest. */
  drop(count: number): void {
    this.#values.copyWithin(0, count * fields.length);
    this.length -= count;
  }

  /** Raises the newest sample's values to those of another of the same interval; its time stays. */
  raiseLast(sample: MetricSample): void {
    this.#write(this.length - 1, larger(this.at(this.length - 1), sample));
  }

  /** Makes one of neighbours that belong together. */
  merge(together: (timeA: number, timeB: number) => boolean): void {
    const before = this.all();
    this.length = 0;
    for (const sample of before) {
      if (this.length > 0 && together(this.at(this.length - 1).timeMs, sample.timeMs)) this.raiseLast(sample);
      else this.push(sample);
    }
  }

  #write(index: number, sample: MetricSample): void {
    fields.forEach((field, offset) => {
      this.#values[index * fields.length + offset] = sample[field];
    });
  }
}

function larger(first: MetricSample, second: MetricSample): MetricSample {
  return {
    timeMs: first.timeMs,
    cpuUsedPercent: Math.max(first.cpuUsedPercent, second.cpuUsedPercent),
    memoryUsedBytes: Math.max(first.memoryUsedBytes, second.memoryUsedBytes),
    memoryTotalBytes: Math.max(first.memoryTotalBytes, second.memoryTotalBytes),
    memoryCacheBytes: Math.max(first.memoryCacheBytes, second.memoryCacheBytes),
    diskUsedBytes: Math.max(first.diskUsedBytes, second.diskUsedBytes),
    diskTotalBytes: Math.max(first.diskTotalBytes, second.diskTotalBytes),
  };
}
