import { describe, expect, it } from "vitest";
import { Failure } from "../failure.ts";
import { parseEdits, parseTags } from "./arguments.ts";

const edits = (...args: string[]) => [...parseEdits(args)];

describe("the edits of metadata set", () => {
  it("sets with key=value, and removes with key- as well as with key=", () => {
    expect(edits("stage=done", "owner-", "note=")).toEqual([
      ["stage", "done"],
      ["owner", null],
      ["note", null],
    ]);
  });

  it("ends the key at the first = and takes the value as it is", () => {
    expect(edits("query=a=b&c=d", "path=C:\\dir\\=x", "flag=off-")).toEqual([
      ["query", "a=b&c=d"],
      ["path", "C:\\dir\\=x"],
      ["flag", "off-"],
    ]);
  });

  it("can name every key: with = in it, with - at its end, with a backslash", () => {
    expect(edits("a\\=b=c", "a\\=c-", "k-=v", "l--", "x\\\\=y", "w\\n=z")).toEqual([
      ["a=b", "c"],
      ["a=c", null],
      ["k-", "v"],
      ["l-", null],
      ["x\\", "y"],
      ["w\\n", "z"],
    ]);
  });

  it("treats __proto__ and numbers as ordinary keys", () => {
    expect(new Map(edits("__proto__=x", "constructor-", "7=seven"))).toEqual(
      new Map<string, string | null>([
        ["__proto__", "x"],
        ["constructor", null],
        ["7", "seven"],
      ]),
    );
  });

  it.each([
    [["stage"], /says neither what to set nor what to remove/],
    [["=value"], /key must not be empty/],
    [["-"], /key must not be empty/],
    [["a=1", "a-"], /named twice/],
    [[`${"k".repeat(257)}=v`], /at most 256 bytes/],
    [[`k=${"v".repeat(4097)}`], /at most 4096 bytes/],
  ])("refuses %s", (args, message) => {
    expect(() => parseEdits(args)).toThrow(Failure);
    expect(() => parseEdits(args)).toThrow(message);
  });
});

describe("tags of a new sandbox or a filter", () => {
  it("keep an empty value, which is a value there", () => {
    expect([...parseTags(["a=", "b=c"])]).toEqual([
      ["a", ""],
      ["b", "c"],
    ]);
  });

  it("have no way to remove", () => {
    expect(() => parseTags(["a-"])).toThrow(/has no "="/);
  });
});
