import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import {
  StartupReader,
  type StartupStep,
} from "../../../../client/proxy/startup/startup-reader.ts";
import { REQUEST } from "../../../../client/proxy/wire/message-types.ts";
import {
  cancelRequest,
  sslRequest,
  startupPacket,
} from "../../../../client/proxy/wire/messages.ts";

const THREE = 196_608;
const packetOf = (length: number, code: number): Buffer => {
  const packet = Buffer.alloc(8);
  packet.writeInt32BE(length);
  packet.writeInt32BE(code, 4);
  return packet;
};
const gssRequest = packetOf(8, REQUEST.gssEncryption);
const startup = startupPacket(THREE, [
  ["user", "caf\xe9"],
  ["database", "orders"],
]);
const glued = Buffer.concat([sslRequest(), gssRequest, startup, Buffer.from("Q…")]);

/** What a reader says to bytes that come in these chunks, without "incomplete". */
function stepsOf(chunks: readonly Buffer[]): { steps: StartupStep[]; rest: string } {
  const reader = new StartupReader();
  const steps: StartupStep[] = [];
  for (const chunk of chunks) {
    reader.add(chunk);
    for (let step = reader.next(); step.kind !== "incomplete"; step = reader.next()) {
      steps.push(step);
      if (step.kind !== "encryption") return { steps, rest: reader.rest.toString() };
    }
  }
  return { steps, rest: "" };
}

const WHOLE = [
  { kind: "encryption" },
  { kind: "encryption" },
  {
    kind: "session",
    startup: {
      protocol: THREE,
      parameters: new Map([
        ["user", "caf\xe9"],
        ["database", "orders"],
      ]),
    },
  },
];

test("requests for encryption, startup and a query may be glued", () => {
  expect(stepsOf([glued])).toEqual({ steps: WHOLE, rest: "Q…" });
});

test("a startup may be cut at any byte, and into single bytes", () => {
  const bytes = glued.subarray(0, -4);
  for (let at = 1; at < bytes.length; at++)
    expect(stepsOf([bytes.subarray(0, at), bytes.subarray(at)]).steps).toEqual(WHOLE);
  expect(stepsOf([...bytes].map((byte) => Buffer.from([byte]))).steps).toEqual(WHOLE);
});

test("a cancel request has the key of its session, short or long", () => {
  for (const length of [8, 36, 260]) {
    const key = randomBytes(length);
    expect(stepsOf([cancelRequest(key)]).steps).toEqual([{ kind: "cancel", key }]);
  }
});

const refused = (bytes: Buffer): string | undefined => {
  const { steps } = stepsOf([bytes]);
  const last = steps.at(-1);
  return last?.kind === "refused" ? last.error.sqlstate : undefined;
};

test.each([0, 1, 2, 3, 4, 5, 6, 7, -1, 10_001, 2 ** 31 - 1])(
  "a startup packet of %i bytes is refused",
  (length) => {
    expect(refused(packetOf(length, THREE))).toBe("08P01");
  },
);

test.each([
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "08P01"],
  ["a TLS hello", Buffer.from("160301020001", "hex"), "08P01"],
  ["protocol 2.0", startupPacket(2 << 16, [["user", "x"]]), "0A000"],
  ["protocol 4.0", startupPacket(4 << 16, [["user", "x"]]), "0A000"],
  ["a second request for TLS", Buffer.concat([sslRequest(), sslRequest()]), "0A000"],
  ["no parameters and no end of them", packetOf(8, THREE), "08P01"],
  ["a parameter without value", startupPacket(THREE, [["user", "x"]]).subarray(0, 14), undefined],
  ["a name alone", withBody("user\0\0"), "08P01"],
  ["no NUL at the end", withBody("user\0x"), "08P01"],
  ["bytes behind the end", withBody("user\0x\0\0y"), "08P01"],
  ["an empty name", withBody("\0x\0\0"), "08P01"],
  ["a cancel key of 7 bytes", cancelRequest(Buffer.alloc(7)), "08P01"],
  ["a cancel key of 261 bytes", cancelRequest(Buffer.alloc(261)), "08P01"],
])("%s is refused as it should be", (_, bytes, sqlstate) => {
  expect(refused(bytes)).toBe(sqlstate);
});

function withBody(body: string): Buffer {
  return Buffer.concat([packetOf(8 + body.length, THREE), Buffer.from(body)]);
}

test("random bytes are refused, or wanted more of, and nothing throws", () => {
  for (let round = 0; round < 200; round++) {
    const { steps } = stepsOf([randomBytes(20_000)]);
    expect(steps.at(-1)?.kind).toBe("refused");
  }
});

test("protocol 3.2 and versions to come are passed on", () => {
  for (const minor of [2, 9_999]) {
    const protocol = (3 << 16) + minor;
    const bytes = startupPacket(protocol, [["_pq_.x", "1"]]);
    const parameters = new Map([["_pq_.x", "1"]]);
    expect(stepsOf([bytes]).steps).toEqual([
      { kind: "session", startup: { protocol, parameters } },
    ]);
  }
});
