import { expect, test } from "vitest";
import { Conversation } from "../../../../client/proxy/session/conversation.ts";
import { message } from "../../../../client/proxy/wire/messages.ts";

/**
 * Plays what both sides say: `>` the client, `<` the server, each letter a message; `Z` has its
 * status behind it. `>half` and `<half` begin a message and do not end it.
 */
function after(...said: readonly string[]): Conversation {
  const conversation = new Conversation();
  for (const each of said) {
    const see = (bytes: Buffer): void =>
      each[0] === ">" ? conversation.seeClient(bytes) : conversation.seeServer(bytes);
    if (each.slice(1) === "half") see(message(0x44, Buffer.alloc(100)).subarray(0, 50));
    else
      for (const [, type = "", status] of each.slice(1).matchAll(/(\w)(?:\((\w)\))?/g))
        see(message(type.charCodeAt(0), Buffer.from(status ?? "body")));
  }
  return conversation;
}

test.each([
  ["nothing said yet", [], "idle"],
  ["a query under way", [">Q"], "in a statement"],
  ["rows of a query", [">Q", "<TDD"], "in a statement"],
  ["a query answered", [">Q", "<TDDCZ(I)"], "idle"],
  ["a transaction", [">Q", "<CZ(T)"], "in a transaction"],
  ["a failed transaction", [">Q", "<EZ(E)"], "in a failed transaction"],
  ["a transaction that ended", [">Q", "<CZ(T)", ">Q", "<CZ(I)"], "idle"],
  ["a function call", [">F"], "in a statement"],
  ["a Parse that no Sync follows", [">P", "<1"], "between messages of a statement"],
  ["Parse, Flush and its answer", [">PH", "<1"], "between messages of a statement"],
  ["a lone Flush", [">H"], "idle"],
  ["a whole extended statement", [">PBDES", "<12TDCZ(I)"], "idle"],
  ["a pipeline of three, two answered", [">QQQ", "<CZ(I)CZ(I)"], "in a statement"],
  ["a pipeline of three, all answered", [">QQQ", "<CZ(I)CZ(I)CZ(I)"], "idle"],
  ["a pipeline with Syncs, one open", [">PBESPBES", "<12CZ(I)"], "in a statement"],
  ["a suspended portal", [">PBEH", "<12Ds"], "between messages of a statement"],
  ["a suspended portal, synced", [">PBES", "<12DsZ(I)"], "idle"],
  ["a suspended portal in a transaction", [">PBES", "<12DsZ(T)"], "in a transaction"],
  ["COPY out", [">Q", "<Hddd"], "in a statement"],
  ["COPY out, ended", [">Q", "<HdddcCZ(I)"], "idle"],
  ["COPY in", [">Q", "<G", ">ddd"], "in COPY"],
  ["COPY in, ended by the client", [">Q", "<G", ">dddc"], "in a statement"],
  ["COPY in, ended", [">Q", "<G", ">dddc", "<CZ(I)"], "idle"],
  ["COPY in, failed by the client", [">Q", "<G", ">df", "<EZ(I)"], "idle"],
  ["COPY in, failed at the server", [">Q", "<G", ">d", "<EZ(I)", ">dc"], "idle"],
  ["COPY in with a Sync in its data", [">Q", "<G", ">dSdc", "<CZ(I)"], "idle"],
  ["COPY in, sent before it was asked for", [">QddcQ", "<GCZ(I)"], "in a statement"],
  ["COPY in, sent before, and a query", [">QddcQ", "<GCZ(I)", "<CZ(I)"], "idle"],
  ["COPY by the extended protocol", [">PBES", "<12G", ">dd"], "in COPY"],
  ["… its data ended", [">PBES", "<12G", ">ddc"], "between messages of a statement"],
  ["… and synced", [">PBES", "<12G", ">ddcS"], "in a statement"],
  ["… two Syncs, one ReadyForQuery", [">PBES", "<12G", ">ddcS", "<CZ(I)"], "idle"],
  ["… sent before it was asked for", [">PBESddcS", "<12GCZ(I)"], "idle"],
  ["… sent before with one Sync, and a statement", [">PBEdcSPBES", "<12GCZ(I)"], "in a statement"],
  ["… and its answer", [">PBEdcSPBES", "<12GCZ(I)", "<12CZ(I)"], "idle"],
  ["… sent before behind a Sync", [">PBESPBEcSQ", "<12CZ(I)", "<12GCZ(I)"], "in a statement"],
  ["… and its query", [">PBESPBEcSQ", "<12CZ(I)", "<12GCZ(I)", "<CZ(I)"], "idle"],
  ["… sent before, without a COPY", [">PBESc", "<EZ(I)"], "idle"],
  ["… sent before, and refused", [">PBEdcSPBES", "<E", "<Z(I)", "<12CZ(I)"], "idle"],
  ["… failed at the server", [">PBES", "<12G", ">d", "<E"], "between messages of a statement"],
  ["… failed at the server, synced", [">PBES", "<12G", ">d", "<E", ">cS", "<Z(I)"], "idle"],
  ["LISTEN, with notifications", [">Q", "<CZ(I)AA", "<NS"], "idle"],
  ["half a message of the client", [">half"], "between messages of a statement"],
  ["half a message of the server", ["<half"], "between messages of a statement"],
] as const)("%s: %j is %s", (_, said, state) => {
  const conversation = after(...said);
  expect(conversation.state).toBe(state);
  expect(conversation.isIdle).toBe(state === "idle");
});

test("a client that says goodbye is known to leave", () => {
  expect(after(">QX").isTerminated).toBe(true);
  expect(after(">Q").isTerminated).toBe(false);
});

test("errors are counted", () => {
  expect(after(">Q", "<EZ(I)", ">Q", "<CZ(I)").errors).toBe(1);
});
