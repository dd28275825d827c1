import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { request as secureRequest } from "node:https";
import { homedir } from "node:os";
import type { CallerFact } from "../../core/doctor/identity/identity-facts.ts";
import type { Instant } from "../../core/time.ts";
import { isOutOfReach } from "../terminal/exit.ts";
import { type DoctorPorts, type NearAnswer, type NearRequest, NoAnswer } from "./doctor-ports.ts";

/** What is beside a workload answers in milliseconds, or never. */
const NEAR_LIMIT_MS = 1_000;
/** With TLS it is a service of AWS. */
const FAR_LIMIT_MS = 5_000;
/** A page of another program is not read to its end. Bytes. */
const LONGEST_ANSWER = 64 * 1_024;

/** This process, its files and its network. */
export const systemPorts: DoctorPorts = {
  env: process.env,
  now: () => Date.now() as Instant,
  readFile: (path) => readFile(path, "utf8"),
  callerIdentity: askSts,
  request: askNear,
  home: homedir(),
};

async function askSts(region: string | undefined): Promise<CallerFact> {
  try {
    const { GetCallerIdentityCommand, STSClient } = await import("@aws-sdk/client-sts");
    const client = new STSClient({
      ...(region !== undefined && { region }),
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: 5_000,
        requestTimeout: 10_000,
        throwOnRequestTimeout: true,
      },
    });
    const { Arn = "" } = await client.send(new GetCallerIdentityCommand({}));
    return { kind: "caller", arn: Arn };
  } catch (error) {
    const { name, message } = error as Error;
    return { kind: "failed", name, message, isNetwork: isOutOfReach(error) };
  }
}

function askNear({ url, method, headers }: NearRequest): Promise<NearAnswer> {
  return new Promise((resolve, reject) => {
    let isConnected = false;
    const ask = url.startsWith("https:") ? secureRequest : request;
    // a proxy's agent is nothing for what is beside us
    const asked = ask(url, { method, headers, agent: false }, (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("error", () => {}); // what came of it is the answer
      answer.on("data", (chunk: string) => {
        body += chunk;
        if (body.length > LONGEST_ANSWER) answer.destroy();
      });
      answer.on("close", () => {
        clearTimeout(limit);
        const date = Date.parse(answer.headers.date ?? "");
        resolve({
          status: answer.statusCode ?? 0,
          body,
          ...(!Number.isNaN(date) && { date: date as Instant }),
        });
      });
    });
    const limit = setTimeout(
      () => {
        reject(new NoAnswer("ETIMEDOUT", isConnected));
        asked.destroy();
      },
      url.startsWith("https:") ? FAR_LIMIT_MS : NEAR_LIMIT_MS,
    );
    asked.on("socket", (socket) => {
      socket.once("connect", () => {
        isConnected = true;
      });
    });
    asked.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(limit);
      reject(new NoAnswer(error.code ?? error.name, isConnected));
    });
    asked.end();
  });
}
