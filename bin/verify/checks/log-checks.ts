import { minutes } from "../../../core/time.ts";
import { differs, fine, NotMade, type Outcome } from "../outcome.ts";
import { logGroupOf } from "../stack-under-test.ts";
import { waitFor } from "../wait-for.ts";
import { auditWords } from "./audit-words.ts";
import type { World } from "./check.ts";

/** Longest time until a function's line can be read. Milliseconds. */
const INGESTION = minutes(2);
/** Longest time until CloudTrail delivers. Its guide says about five minutes. */
const DELIVERY = minutes(15);

/** The audit line has the request id of the caller's response. */
export async function requestId({ account, evidence, stack, time }: World): Promise<Outcome> {
  const { credential, requestId: seen } = await evidence.lease();
  const words = auditWords("lease.issued", credential.username);
  const line = await waitFor(time, INGESTION, async () => {
    const [found] = await account.logLines(logGroupOf(stack, "issuer"), words, evidence.since);
    return found;
  });
  if (line === undefined) return differs("no line lease.issued came to the issuer's log");
  const logged: unknown = JSON.parse(line).function_request_id;
  return logged === seen && seen !== undefined
    ? fine("function_request_id is the x-amzn-RequestId of the answer")
    : differs(`the line has ${String(logged)}, the answer's header ${seen ?? "nothing"}`);
}

/** CloudTrail's data event has the same request id. */
export async function cloudTrail({
  account,
  evidence,
  time,
  trailLogGroup,
}: World): Promise<Outcome> {
  if (trailLogGroup === undefined)
    throw new NotMade(
      "it needs a trail with the issuer's data events that writes to CloudWatch Logs; name its log group with --trail-log-group",
    );
  const { requestId: id } = await evidence.lease();
  if (id === undefined) throw new NotMade("the answer had no request id");
  const line = await waitFor(time, DELIVERY, async () => {
    const [found] = await account.logLines(trailLogGroup, [id], evidence.since);
    return found;
  });
  if (line === undefined)
    return differs(`no event with the call's request id came within ${DELIVERY / 60_000} minutes`);
  const event = JSON.parse(line) as { readonly requestID?: unknown; readonly eventName?: unknown };
  return event.requestID === id
    ? fine(`requestID of the event ${String(event.eventName)} is the call's`)
    : differs("an event has the id, but not as its requestID");
}

/** The saved queries run and find the lease. */
export async function savedQueries({ account, evidence, stack, time }: World): Promise<Outcome> {
  if (!account.isAws) throw new NotMade("only CloudWatch Logs has saved queries");
  const { name, credential } = await evidence.lease();
  const words = { USERNAME: credential.username, CONSUMER: stack.consumer };
  const part = `-${name.tag}-queries/`;
  const found = await waitFor(time, INGESTION, async () => {
    const runs = await account.runSavedQueries(part, words, evidence.since);
    const first = runs.find((each) => each.name.endsWith("/who had a user"));
    return runs.length === 0 || (first?.rows ?? 0) > 0 ? runs : undefined;
  });
  if (found?.length === 0) throw new NotMade("the stack has no saved queries of this database");
  if (found === undefined) return differs('"who had a user" found no line of the lease');
  const bad = found.filter(({ status }) => status !== "Complete");
  return bad.length === 0
    ? fine(`${found.length} queries ran, and "who had a user" found the lease`)
    : differs(bad.map((each) => `"${each.name.split("/").at(-1)}": ${each.status}`).join(", "));
}

/** Unit: milliseconds. */
const COLD_START_AT_MOST = 1_000;

/** Lambda's REPORT line of an instance's first call. */
export async function coldStart({ account, evidence, stack, time }: World): Promise<Outcome> {
  if (!account.isAws) throw new NotMade("only Lambda itself reports cold starts");
  await evidence.lease();
  const words = ["REPORT RequestId", "Init Duration"];
  const line = await waitFor(time, INGESTION, async () => {
    const [found] = await account.logLines(logGroupOf(stack, "issuer"), words, evidence.since);
    return found;
  });
  if (line === undefined)
    throw new NotMade(
      "no instance of the issuer started during this run; try again when it was idle for a while",
    );
  const [, init] = /Init Duration: ([\d.]+) ms/.exec(line) ?? [];
  const [, call] = /\tDuration: ([\d.]+) ms/.exec(line) ?? [];
  const whole = Number(init) + Number(call);
  const saw = `${init} ms to start and ${call} ms for the first call`;
  return whole <= COLD_START_AT_MOST ? fine(saw) : differs(saw);
}
