import { type EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { BUS_SOURCE, type BusEvent, batchesOf } from "../../core/bus-event.ts";
import { UnavailableError } from "../../core/errors.ts";
import { fromAwsError } from "./from-aws-error.ts";

/** Each attempt sends only the entries that were not accepted before. */
const ATTEMPTS = 3;

/**
 * Send events to a bus, each at least once, in order except for repeated ones.
 *
 * @throws UnavailableError if some were not accepted: send all of them again.
 */
export async function sendEvents(
  client: Pick<EventBridgeClient, "send">,
  busArn: string,
  events: readonly BusEvent[],
): Promise<void> {
  for (const batch of batchesOf(events)) {
    let left = batch;
    for (let attempt = 1; left.length > 0; attempt++) {
      if (attempt > ATTEMPTS)
        throw new UnavailableError(
          "EventBridge",
          `${left.length} audit events were not accepted by ${busArn}; wait and retry`,
        );
      left = await refusedOf(client, busArn, left);
    }
  }
}

async function refusedOf(
  client: Pick<EventBridgeClient, "send">,
  EventBusName: string,
  events: readonly BusEvent[],
): Promise<readonly BusEvent[]> {
  const Entries = events.map(({ detailType, detail, time, resources }) => ({
    EventBusName,
    Source: BUS_SOURCE,
    DetailType: detailType,
    Detail: detail,
    Time: new Date(time),
    Resources: [...resources],
  }));
  const reply = await client.send(new PutEventsCommand({ Entries })).catch((error: unknown) => {
    throw fromAwsError(
      `audit events could not be put on ${EventBusName}`,
      "events:PutEvents",
      error,
    );
  });
  return events.filter((_, each) => reply.Entries?.[each]?.ErrorCode !== undefined);
}
