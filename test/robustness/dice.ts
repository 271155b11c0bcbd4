/** Seeded choices, cheap enough for traffic. */
export interface Dice {
  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number;
  /** From `min` to `max`, both included. */
  between(min: number, max: number): number;
  /** True once in `n` times. */
  oneIn(n: number): boolean;
  pick<T>(from: readonly [T, ...T[]]): T;
  /** The same items in another order. */
  shuffle<T>(items: readonly T[]): T[];
  /** Dice of their own for a part of the work, which do not depend on how often these were rolled. */
  part(name: string): Dice;
}

/** The same seed rolls the same numbers. */
export function diceFrom(seed: number): Dice {
  let state = mix(seed | 0);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    return mix(state) >>> 0;
  };
  const dice: Dice = {
    below: (limit) => next() % limit,
    between: (min, max) => min + (next() % (max - min + 1)),
    oneIn: (n) => next() % n === 0,
    pick: (from) => from[next() % from.length] ?? from[0],
    shuffle(items) {
      const mixed = [...items];
      for (let last = mixed.length - 1; last > 0; last -= 1) {
        const other = next() % (last + 1);
        const [a, b] = [mixed[last], mixed[other]];
        if (a !== undefined && b !== undefined) [mixed[last], mixed[other]] = [b, a];
      }
      return mixed;
    },
    part(name) {
      let own = seed | 0;
      for (const character of name) own = mix(Math.imul(own, 31) + (character.codePointAt(0) ?? 0));
      return diceFrom(own);
    },
  };
  return dice;
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
