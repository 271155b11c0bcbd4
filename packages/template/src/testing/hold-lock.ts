/** Takes the lock on the file given, says so and keeps it until killed: for the test of what happens then. */
import { lockFile } from "../file-lock.ts";

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error("Name the file to lock");
await lockFile(path);
console.log("locked");
