import type { Micros } from "@castellan/domain";

/**
 * This process's clock in whole microseconds: the wall clock, refined by the monotonic one, and never stepping back. It
 * follows the wall clock when that is set anew.
 */
export function createClock(): () => Micros {
  const tolerance = 5;
  let offset = Date.now() - performance.now();
  let last = 0;
  return () => {
    const wall = Date.now();
    let millis = performance.now() + offset;
    if (Math.abs(millis - wall) > tolerance) {
      offset += wall - millis;
      millis = wall;
    }
    last = Math.max(last, Math.floor(millis * 1000));
    return last;
  };
}
