import { expect, test } from "vitest";
import { errorFields, sqlstateOf } from "../../../../client/proxy/wire/error-fields.ts";
import { MalformedMessage, MessageReader } from "../../../../client/proxy/wire/message-reader.ts";
import {
  authenticationOk,
  authenticationSasl,
  cancelRequest,
  fatalError,
  saslInitialResponse,
  sslRequest,
  startupPacket,
  terminate,
} from "../../../../client/proxy/wire/messages.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ""), "hex");

test.each([
  ["SSLRequest", sslRequest(), "00000008 04d2162f"],
  ["CancelRequest", cancelRequest(hex("000000070badcafe")), "00000010 04d2162e 00000007 0badcafe"],
  ["Terminate", terminate(), "58 00000004"],
  ["AuthenticationOk", authenticationOk(), "52 00000008 00000000"],
  ["AuthenticationSASL", authenticationSasl(["A", "B"]), "52 0000000d 0000000a 4100 4200 00"],
  ["SASLInitialResponse", saslInitialResponse("M", "n,,"), "70 0000000d 4d00 00000003 6e2c2c"],
  ["StartupMessage", startupPacket(196_608, [["a", "é"]]), "0000000d 00030000 6100 e900 00"],
])("%s has the bytes of the protocol", (_, bytes, expected) => {
  expect(bytes).toEqual(hex(expected));
});

test("an error says severity, SQLSTATE, message, detail and hint", () => {
  const response = fatalError({ sqlstate: "57P01", message: "over", detail: "d", hint: "h" });
  expect(response.readUInt8(0)).toBe(0x45);
  expect(response.readInt32BE(1)).toBe(response.length - 1);
  expect(Object.fromEntries(errorFields(response.subarray(5)))).toEqual({
    S: "FATAL",
    V: "FATAL",
    C: "57P01",
    M: "over",
    D: "d",
    H: "h",
  });
});

test.each([
  ["SERROR\0C28P01\0Mno\0\0", "28P01"],
  ["SERROR\0C28P01", "28P01"],
  ["SERROR\0C2\0\0", "08P01"],
  ["", "08P01"],
])("the SQLSTATE of %j is %s", (body, expected) => {
  expect(sqlstateOf(Buffer.from(body))).toBe(expected);
});

test("a reader gives whole messages, and keeps what came behind", () => {
  const [first, second] = [terminate(), authenticationOk()];
  const stream = Buffer.concat([first, second, Buffer.of(1, 2)]);
  for (let cut = 0; cut <= stream.length; cut++) {
    const reader = new MessageReader(100);
    const seen: Buffer[] = [];
    for (const chunk of [stream.subarray(0, cut), stream.subarray(cut)]) {
      reader.add(chunk);
      for (let next = reader.next(); next !== undefined; next = reader.next())
        seen.push(next.bytes);
    }
    expect(seen).toEqual([first, second]);
    expect(reader.rest).toEqual(Buffer.of(1, 2));
  }
});

test.each(["52 00000003", "52 ffffffff", "52 7fffffff", "52 00000064"])(
  "a reader refuses %s from the header on",
  (header) => {
    const reader = new MessageReader(100);
    reader.add(hex(header));
    expect(() => reader.next()).toThrow(MalformedMessage);
  },
);
