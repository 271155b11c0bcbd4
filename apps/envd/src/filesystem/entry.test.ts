import { expect, it } from "vitest";
import { permissions } from "./entry.ts";

it.each([
  [0o100644, "-rw-r--r--"],
  [0o040755, "drwxr-xr-x"],
  [0o120777, "Lrwxrwxrwx"],
  [0o041777, "dtrwxrwxrwx"],
  [0o104755, "urwxr-xr-x"],
  [0o042775, "dgrwxrwxr-x"],
  [0o020666, "Dcrw-rw-rw-"],
  [0o060660, "Drw-rw----"],
  [0o010644, "prw-r--r--"],
  [0o140755, "Srwxr-xr-x"],
  [0o100000, "----------"],
])("mode %i is written %s, as clients know it", (mode, expected) => {
  expect(permissions(mode)).toBe(expected);
});
