// The daemon of test sandboxes: runs the posted shell script as the user ?uid and answers with its end.
import { execFile } from "node:child_process";
import { createServer } from "node:http";

const limits = { timeout: 60_000, maxBuffer: 16 * 1024 * 1024 };

createServer((request, response) => {
  const uid = Number(new URL(request.url ?? "/", "http://daemon").searchParams.get("uid") ?? 0);
  let script = "";
  request.on("data", (chunk) => {
    script += chunk;
  });
  request.on("end", () => {
    execFile("/bin/bash", ["-c", script], { ...limits, uid, gid: uid }, (error, stdout, stderr) => {
      response.end(JSON.stringify({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr }));
    });
  });
}).listen(49983, "0.0.0.0");
