import { gunzipSync } from "node:zlib";
import { Logger } from "@aws-lambda-powertools/logger";
import { EventBridgeClient } from "@aws-sdk/client-eventbridge";
import { busEventsIn } from "../../core/bus-event.ts";
import { AWS_BOUNDS } from "../aws/bounds.ts";
import { sendEvents } from "../aws/event-bus.ts";
import { required } from "./environment.ts";
import { serve } from "./serve.ts";

const { EVENT_BUS_ARN } = required(process.env, ["EVENT_BUS_ARN"]);
const client = new EventBridgeClient(AWS_BOUNDS);

/**
 * Invoked by CloudWatch Logs with log lines of the other functions: sends audit lines as events.
 */
export const handler = serve<{ awslogs: { data: string } }, { sent: number }>({
  logger: new Logger(),
}).handler(async ({ awslogs }) => {
  const batch = JSON.parse(gunzipSync(Buffer.from(awslogs.data, "base64")).toString());
  const events = busEventsIn(batch);
  await sendEvents(client, EVENT_BUS_ARN, events);
  return { sent: events.length };
});
