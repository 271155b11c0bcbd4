/** Told how far a build is (0 to 1, never backwards) and what it does now, in a few words. */
export type OnProgress = (fraction: number, step: string) => void;

/** The part from `start` to `end` of a larger task. */
export function part(onProgress: OnProgress, start: number, end: number): OnProgress {
  return (fraction, step) => onProgress(start + (end - start) * fraction, step);
}
