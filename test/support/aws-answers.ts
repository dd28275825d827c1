import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** One answer of AWS: an error by its name, a function's error, or a result. */
export interface AwsAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface AskedOfAws {
  readonly path: string;
  readonly target: string | undefined;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What AWS answers instead of a result, as its services write it. */
export const awsError = (name: string, status: number): AwsAnswer => ({
  status,
  headers: { "x-amzn-errortype": name },
  body: { __type: name, message: "in AWS's words" },
});

/** A server that answers like AWS, for real clients of the SDK. The caller closes it. */
export async function awsThatAnswers(
  answer: (asked: AskedOfAws) => AwsAnswer | Promise<AwsAnswer>,
): Promise<{ readonly endpoint: string; readonly asked: AskedOfAws[]; close(): Promise<void> }> {
  const asked: AskedOfAws[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { authorization } = request.headers;
      const target = request.headers["x-amz-target"];
      const each: AskedOfAws = {
        path: decodeURIComponent(request.url ?? ""),
        target: typeof target === "string" ? target : undefined,
        authorization,
        body: JSON.parse(Buffer.concat(chunks).toString() || "{}"),
      };
      asked.push(each);
      void Promise.resolve(answer(each)).then(({ status = 200, headers = {}, body }) => {
        response.writeHead(status, { "content-type": "application/json", ...headers });
        response.end(JSON.stringify(body));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
