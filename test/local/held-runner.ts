import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { startRunner } from "../../local/runner.ts";

/*
 * A runner in a process of its own, for a test that kills it: prints the process id of a function's
 * environment, then waits. Arguments: the assembly, and the function's logical id.
 */
const [assembly = "", FunctionName = ""] = process.argv.slice(2);
const { endpoint, region, credentialsFor } = await startRunner({ assembly });
const client = new LambdaClient({ endpoint, region, credentials: credentialsFor("administrator") });
const { Payload } = await client.send(new InvokeCommand({ FunctionName, Payload: "{}" }));
console.log(JSON.parse(Payload?.transformToString() ?? "").pid);
