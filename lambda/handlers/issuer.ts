import { type ConsumerAnswer, serveConsumer } from "../../core/leases/consumer.ts";
import { grantOf } from "../../core/leases/grants.ts";
import { parseRequest } from "../../core/leases/requests/lease-request.ts";
import { composeIssuer } from "./compose-issuer.ts";
import { serve } from "./serve.ts";

const { logger, telemetry, deps } = composeIssuer(process.env);

/** Invoked by consumers through their aliases: `issue`, `renew`, `revoke`, `lookup`. */
export const handler = serve<unknown, ConsumerAnswer>({ logger, telemetry }).handler(
  async (event, { invokedFunctionArn }) => {
    const grant = grantOf(deps.deployment, invokedFunctionArn);
    return serveConsumer(deps, grant, parseRequest(event));
  },
);
