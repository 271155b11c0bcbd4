import { createSocket } from "node:dgram";
import { once } from "node:events";

/** A resolver on UDP port 53 of one address of this host. */
export interface NameServer {
  /** Names and the addresses that it answers with; others do not exist. May be changed. */
  readonly names: Map<string, readonly string[]>;
  /** What it was asked for. */
  readonly asked: string[];
  close(): void;
}

export async function nameServer(address: string, names: Record<string, readonly string[]>): Promise<NameServer> {
  const socket = createSocket("udp4");
  const known = new Map(Object.entries(names));
  const asked: string[] = [];
  socket.on("message", (question, from) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
      labels.push(question.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const name = labels.join(".").toLowerCase();
    asked.push(name);
    const isForIpv4 = question.readUInt16BE(at + 1) === 1;
    const found = known.get(name);
    const addresses = isForIpv4 ? (found ?? []) : [];
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(found === undefined ? 0x8183 : 0x8180, 2);
    head.writeUInt16BE(addresses.length, 6);
    head.writeUInt32BE(0, 8);
    const answers = addresses.map((one) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...one.split(".").map(Number)]),
    );
    socket.send(Buffer.concat([head, question.subarray(12, at + 5), ...answers]), from.port, from.address);
  });
  socket.bind(53, address);
  await once(socket, "listening");
  return { names: known, asked, close: () => socket.close() };
}
