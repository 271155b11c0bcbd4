import type { Metadata, MetadataDelta } from "@castellan/domain";
import fc from "fast-check";

/** Keys that collide often, and keys that break what is careless about text. */
const key = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom("a", "b", "c", "__proto__", "constructor", "toString", "0", "00", "-1", "1e3"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "a\0",
      "\0",
      '"',
      "'",
      "\\",
      "\\n",
      "\t",
      "a\tb",
      "=",
      "-",
      "\n",
      "\r\n",
      "{x}",
      "%s",
      "k".repeat(256),
    ),
  },
  { weight: 2, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 8 }) },
);
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("", "1", "01", "1.0", "null", "true", "-", "=", "\0", "1e309", "\u{1f600}") },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
);

export const anyMetadata = fc
  .uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 8 })
  .map((entries): Metadata => new Map(entries));

/** Few and many keys at once, which a store may treat in different ways. */
export const anyDelta = fc
  .oneof(
    fc.uniqueArray(fc.tuple(key, fc.option(value)), { selector: ([name]) => name, maxLength: 6 }),
    fc.uniqueArray(fc.tuple(key, fc.option(value)), { selector: ([name]) => name, minLength: 9, maxLength: 16 }),
  )
  .map((entries): MetadataDelta => new Map(entries));
