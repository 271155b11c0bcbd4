import { describe, expect, it } from "vitest";
import { printJson, printTable } from "./table.ts";

function sink(isTTY: boolean) {
  const chunks: string[] = [];
  return { isTTY, write: (text: string) => chunks.push(text), text: () => chunks.join("") };
}

describe("a table", () => {
  const rows = [
    ["i1", "base", "running"],
    ["i22", "b", "paused"],
  ];

  it("is aligned under a heading on a terminal", () => {
    const terminal = sink(true);
    printTable(terminal, ["ID", "TEMPLATE", "STATE"], rows);
    expect(terminal.text()).toBe("ID   TEMPLATE  STATE\ni1   base      running\ni22  b         paused\n");
  });

  it("is one tab-separated line per row in a pipe, without a heading", () => {
    const pipe = sink(false);
    printTable(pipe, ["ID", "TEMPLATE", "STATE"], rows);
    expect(pipe.text()).toBe("i1\tbase\trunning\ni22\tb\tpaused\n");
  });

  it("keeps a cell in its cell and cannot steer the terminal", () => {
    const pipe = sink(false);
    printTable(pipe, ["A", "B"], [["\u001b]0;title\u0007", "tab\tline\nbidi\u202e\u009b31m"]]);
    expect(pipe.text()).toBe("\\x1b]0;title\\x07\ttab\\x09line\\x0abidi\\u202e\\x9b31m\n");
  });
});

it("prints JSON that reads back the same and cannot steer the terminal", () => {
  const terminal = sink(true);
  const value = { "k\u009b": "v\u202e\u001b[2J", plain: "é漢" };
  printJson(terminal, value);
  expect(JSON.parse(terminal.text())).toEqual(value);
  expect(terminal.text()).not.toMatch(/[\p{Cf}]|[^\P{Cc}\n]/u);
  expect(terminal.text()).toContain("é漢");
});
