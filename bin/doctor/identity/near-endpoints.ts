import type { ContainerFact, InstanceFact } from "../../../core/doctor/identity/identity-facts.ts";
import { type DoctorPorts, NoAnswer } from "../doctor-ports.ts";
import { type Fields, fieldsOf, textOf } from "../evidence/documents.ts";

const ECS = "http://169.254.170.2";
/** As the SDKs have it: a token is sent over plain HTTP to these alone. */
const NEAR =
  /^(?:169\.254\.170\.2|169\.254\.170\.23|\[fd00:ec2::23\]|\[::1\]|localhost|127(?:\.\d{1,3}){3})$/;

/** Longer words are another program's page. Characters. */
const SHOWN = 300;

/** What the endpoint of container credentials says. Of credentials only their role is kept. */
export async function askContainer(ports: DoctorPorts): Promise<ContainerFact | undefined> {
  const { env } = ports;
  const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;
  const given = relative ? `${ECS}${relative}` : env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
  if (!given) return undefined;
  const url = URL.parse(given);
  if (url === null || !(url.protocol === "https:" || NEAR.test(url.hostname)))
    return { kind: "foreign", host: url?.hostname ?? given.slice(0, SHOWN) };
  const token = await authorization(ports);
  if (typeof token === "object") return token;
  try {
    const headers: Readonly<Record<string, string>> =
      token === undefined ? {} : { Authorization: token };
    const { status, body } = await ports.request({ url: url.href, method: "GET", headers });
    if (status !== 200) return { kind: "refused", status, words: wordsOf(body) };
    const roleArn = textOf(parsed(body).RoleArn);
    return { kind: "credentials", ...(roleArn !== undefined && { roleArn }) };
  } catch (error) {
    if (error instanceof NoAnswer) return { kind: "unreachable", code: error.code };
    throw error;
  }
}

async function authorization(ports: DoctorPorts): Promise<string | undefined | ContainerFact> {
  const { env } = ports;
  const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
  if (!file) return env.AWS_CONTAINER_AUTHORIZATION_TOKEN || undefined;
  try {
    return (await ports.readFile(file)).trim();
  } catch (error) {
    return { kind: "no-token", code: String((error as NodeJS.ErrnoException).code) };
  }
}

/** An agent's refusal: of ECS as JSON, of EKS as a text. */
function wordsOf(body: string): string {
  const { code, message, Code, Message } = parsed(body);
  const words = [textOf(code) ?? textOf(Code), textOf(message) ?? textOf(Message)].filter(
    (each) => each !== undefined,
  );
  return (words.length > 0 ? words.join(": ") : body.trim()).slice(0, SHOWN);
}

function parsed(body: string): Fields {
  try {
    return fieldsOf(JSON.parse(body));
  } catch {
    return {};
  }
}

const METADATA = "http://169.254.169.254";

/** What the instance's metadata says, in the way of IMDSv2. */
export async function askInstance(ports: DoctorPorts): Promise<InstanceFact> {
  const base = ports.env.AWS_EC2_METADATA_SERVICE_ENDPOINT || METADATA;
  try {
    const token = await ports.request({
      url: `${base}/latest/api/token`,
      method: "PUT",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" },
    });
    if (token.status !== 200) return { kind: "unreachable", code: `status ${token.status}` };
    const { status, body } = await ports.request({
      url: `${base}/latest/meta-data/iam/security-credentials/`,
      method: "GET",
      headers: { "x-aws-ec2-metadata-token": token.body },
    });
    const role = body.trim();
    return status === 200 && role !== "" ? { kind: "role", role } : { kind: "no-role" };
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    return error.isConnected && error.code === "ETIMEDOUT"
      ? { kind: "silent" }
      : { kind: "unreachable", code: error.code };
  }
}
