import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** One scripted answer of Invoke. */
export interface Scripted {
  /** HTTP status; 200 unless told. */
  readonly status?: number;
  /** What a function threw, or what the service calls its error. */
  readonly errorType?: string;
  readonly body?: unknown;
}

/** An endpoint that answers Lambda's Invoke as scripted, for answers that no real function gives soon. */
export interface FakeLambda {
  readonly env: Readonly<Record<string, string>>;
  /** The payloads that were sent. */
  readonly events: readonly unknown[];
  /** Whom they were sent to: a function's or an alias's ARN. */
  readonly invoked: readonly string[];
  /** What DescribeStacks tells of every stack. */
  outputs: Readonly<Record<string, string>>;
  /** What it tells of these, by their names. */
  stacks: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The roles that were assumed, by their ARNs. */
  readonly assumed: readonly string[];
  /** The stacks that were described. */
  readonly described: readonly string[];
  /** Answer what follows so, in this order; the last one again and again. */
  script(...answers: readonly Scripted[]): void;
  stop(): Promise<void>;
}

export async function fakeLambda(): Promise<FakeLambda> {
  const events: unknown[] = [];
  const invoked: string[] = [];
  const described: string[] = [];
  const assumed: string[] = [];
  let waiting: Scripted[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const sent = Buffer.concat(chunks).toString();
      if (sent.includes("Action=DescribeStacks")) {
        const name = new URLSearchParams(sent).get("StackName") ?? "";
        described.push(name);
        return response.end(stackOf(fake.stacks[name] ?? fake.outputs));
      }
      if (sent.includes("Action=AssumeRole")) {
        assumed.push(new URLSearchParams(sent).get("RoleArn") ?? "");
        return response.end("<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>");
      }
      events.push(JSON.parse(sent));
      invoked.push(decodeURIComponent(request.url?.split("/")[3] ?? ""));
      const { status = 200, errorType, body = {} } = waiting[0] ?? {};
      if (waiting.length > 1) waiting = waiting.slice(1);
      const failed = errorType !== undefined;
      response.writeHead(status, {
        "content-type": "application/json",
        ...(failed && status === 200 && { "x-amz-function-error": "Unhandled" }),
        ...(failed && status !== 200 && { "x-amzn-errortype": errorType }),
      });
      const error = { errorType, errorMessage: `it says ${errorType}`, message: errorType };
      return response.end(JSON.stringify(failed ? error : body));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const fake: FakeLambda = {
    env: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "none",
      AWS_SECRET_ACCESS_KEY: "none",
    },
    events,
    invoked,
    outputs: {},
    stacks: {},
    described,
    assumed,
    script: (...answers) => {
      events.length = 0;
      invoked.length = 0;
      described.length = 0;
      assumed.length = 0;
      waiting = [...answers];
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}

const stackOf = (outputs: Readonly<Record<string, string>>): string => {
  const members = Object.entries(outputs)
    .map(([key, value]) => `<OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue>`)
    .map((each) => `<member>${each}</member>`)
    .join("");
  return `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><Outputs>${members}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`;
};
