import { connect, createServer } from "node:net";

/** Passes connections of an address on to a port of the loopback. Arguments: address, port. */
const [, , host = "", port = ""] = process.argv;
createServer((client) => {
  const server = connect({ port: Number(port), host: "127.0.0.1" });
  for (const socket of [client, server]) socket.on("error", () => {});
  client.pipe(server).pipe(client);
}).listen(Number(port), host, () => process.send?.("ready"));
