import fc from "fast-check";
import { expect, test } from "vitest";
import { MessageTracker } from "../../../../client/proxy/wire/message-tracker.ts";
import { message } from "../../../../client/proxy/wire/messages.ts";

const Z = 0x5a;
const C = 0x43;
const S = 0x53;
const D = 0x44;
const messages = [
  message(C, Buffer.from("SELECT 1\0")),
  message(Z, Buffer.from("I")),
  message(S, Buffer.alloc(0)),
  message(D, Buffer.alloc(300, 7)),
  message(Z, Buffer.from("T")),
];
const stream = Buffer.concat(messages);
const ends = messages.map((_, at) => Buffer.concat(messages.slice(0, at + 1)).length);
const expected = [
  [C, 0x53, 13],
  [Z, 0x49, 5],
  [S, -1, 4],
  [D, 7, 304],
  [Z, 0x54, 5],
];

function track(chunks: readonly Buffer[]): { seen: number[][]; between: number[] } {
  const seen: number[][] = [];
  const between: number[] = [];
  const tracker = new MessageTracker((...told) => seen.push(told));
  let at = 0;
  for (const chunk of chunks) {
    tracker.see(chunk);
    at += chunk.length;
    if (tracker.isBetweenMessages) between.push(at);
  }
  return { seen, between };
}

test("messages are seen alike, at whichever byte the stream is cut", () => {
  for (let cut = 0; cut <= stream.length; cut++)
    expect(track([stream.subarray(0, cut), stream.subarray(cut)]).seen).toEqual(expected);
});

test("byte by byte, the stream is between messages exactly where one ends", () => {
  const { seen, between } = track([...stream].map((byte) => Buffer.of(byte)));
  expect(seen).toEqual(expected);
  expect(between).toEqual(ends);
});

test("any messages in any pieces are counted whole", () => {
  const bodies = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.nat({ max: 40 })));
  const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 30 }));
  fc.assert(
    fc.property(bodies, sizes, (sent, pieces) => {
      const whole = Buffer.concat(sent.map(([type, n]) => message(type, Buffer.alloc(n, type))));
      const chunks: Buffer[] = [];
      for (let at = 0; at < whole.length; ) {
        const size = pieces.next().value ?? 1;
        chunks.push(whole.subarray(at, at + size));
        at += size;
      }
      expect(track(chunks).seen).toEqual(
        sent.map(([type, n]) => [type, n === 0 ? -1 : type, n + 4]),
      );
    }),
  );
});

test.each([0, 1, 3, -1, -2_147_483_648])(
  "after a length of %i nothing is seen any more",
  (length) => {
    const wrong = Buffer.from([Z, 0, 0, 0, 0]);
    wrong.writeInt32BE(length, 1);
    const tracker = new MessageTracker(() => expect.unreachable());
    tracker.see(wrong);
    tracker.see(stream);
    expect(tracker.isBetweenMessages).toBe(false);
  },
);
