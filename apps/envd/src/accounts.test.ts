import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Accounts } from "./accounts.ts";

let directory: string;
let passwd: string;
let group: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "envd-accounts-"));
  passwd = join(directory, "passwd");
  group = join(directory, "group");
  writeFileSync(passwd, "root:x:0:0:root:/root:/bin/bash\nuser:x:1000:1000:,,,:/home/user:/bin/zsh\nbare:x:5:6::\n");
  writeFileSync(group, "root:x:0:\nsudo:x:27:user,other\nuser:x:1000:user\nvideo:x:44:other,user\n");
});

afterEach(() => rmSync(directory, { recursive: true }));

describe("accounts", () => {
  it("come with the groups that list them, without the primary one", () => {
    const user = new Accounts(passwd, group).read().byName("user");
    expect(user).toEqual({
      name: "user",
      uid: 1000,
      gid: 1000,
      groups: [27, 44],
      home: "/home/user",
      shell: "/bin/zsh",
    });
  });

  it("have a home and a shell also where the file names none", () => {
    expect(new Accounts(passwd, group).read().byName("bare")).toMatchObject({
      home: "/",
      shell: "/bin/sh",
      groups: [],
    });
  });

  it("have names for their numbers, or the number where there is none", () => {
    const table = new Accounts(passwd, group).read();
    expect([table.userName(1000), table.userName(4242)]).toEqual(["user", "4242"]);
    expect([table.groupName(27), table.groupName(4242)]).toEqual(["sudo", "4242"]);
  });

  it("are known as soon as they are added", () => {
    const accounts = new Accounts(passwd, group);
    expect(accounts.read().byName("new")).toBeUndefined();
    writeFileSync(passwd, "new:x:7:7::/home/new:/bin/sh\n");
    expect(accounts.read().byName("new")?.uid).toBe(7);
  });

  it("are read past comments, broken lines and files that are missing", () => {
    writeFileSync(passwd, "# comment\n\nbroken\nhalf:x:notanumber:0::/:/bin/sh\nroot:x:0:0:root:/root:/bin/bash");
    const accounts = new Accounts(passwd, join(directory, "absent"));
    expect(accounts.read().byName("root")?.uid).toBe(0);
    expect(accounts.read().byName("half")).toBeUndefined();
    expect(accounts.read().byName("constructor")).toBeUndefined();
    expect(accounts.read().groupName(0)).toBe("0");
  });
});
