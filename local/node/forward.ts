/**
 * Passes connections on, byte by byte: `node forward.ts FROM TO`. FROM and TO are a port of 127.0.0.1 or the path of a
 * socket. Two of them, one on each side, lead into a network namespace that has no way in: a socket with a path is
 * reached from both sides.
 *
 * FROM may be `0:FILE`: a free port is taken and written to the file.
 */
import { renameSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";

const [from = "", to = ""] = process.argv.slice(2);
const address = (text: string) => (text.startsWith("/") ? { path: text } : { host: "127.0.0.1", port: Number(text) });
const [port = "", file] = from.startsWith("/") ? [from] : from.split(":");

const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
  const far = connect({ ...address(to), allowHalfOpen: true, noDelay: true });
  near.pipe(far).pipe(near);
  near.on("error", () => far.destroy());
  far.on("error", () => near.destroy());
});
server.listen(address(port), () => {
  if (!file) return;
  writeFileSync(`${file}.new`, String((server.address() as AddressInfo).port));
  renameSync(`${file}.new`, file);
});
