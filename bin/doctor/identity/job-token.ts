import { STS_AUDIENCE } from "../../../core/aws/workload-identity.ts";
import type {
  JobFact,
  TokenFact,
  TrustFact,
} from "../../../core/doctor/identity/identity-facts.ts";
import { isClaim } from "../../../core/doctor/identity/web-identity-trust.ts";
import type { DoctorPorts, Environment } from "../doctor-ports.ts";
import { fieldsOf, textOf } from "../evidence/documents.ts";
import { platformOf } from "./credential-variables.ts";
import { isToken, tokenIn } from "./projected-token.ts";

/** A job of a pipeline, and its token if it has one. No secret of it is kept. */
export async function jobIn(
  ports: DoctorPorts,
  trust: TrustFact | undefined,
): Promise<{ readonly job?: JobFact; readonly token?: TokenFact }> {
  const { env } = ports;
  switch (platformOf(env)) {
    case "github": {
      const server = textOf(env.GITHUB_SERVER_URL);
      const hasToken = Boolean(
        env.ACTIONS_ID_TOKEN_REQUEST_URL && env.ACTIONS_ID_TOKEN_REQUEST_TOKEN,
      );
      const token = hasToken ? await askGitHub(ports) : undefined;
      return {
        job: { pipeline: "github", hasToken, ...(server !== undefined && { server }) },
        ...(token !== undefined && { token }),
      };
    }
    case "gitlab": {
      const server = textOf(env.CI_SERVER_URL)?.replace(/\/$/, "");
      const token = server === undefined ? undefined : tokenOfGitLab(env, server, trust);
      return {
        job: {
          pipeline: "gitlab",
          hasToken: token !== undefined,
          ...(server !== undefined && { server }),
        },
        ...(token !== undefined && { token }),
      };
    }
    default:
      return {};
  }
}

/** A token as AWS's action asks for it: GitHub alone knows what it writes into it. */
async function askGitHub({ env, request }: DoctorPorts): Promise<TokenFact> {
  const url = URL.parse(env.ACTIONS_ID_TOKEN_REQUEST_URL ?? "");
  // who may ask is a secret
  if (url?.protocol !== "https:") return { kind: "unreadable", code: "no https" };
  url.searchParams.set("audience", STS_AUDIENCE);
  try {
    const { status, body } = await request({
      url: url.href,
      method: "GET",
      headers: { Authorization: `Bearer ${env.ACTIONS_ID_TOKEN_REQUEST_TOKEN ?? ""}` },
    });
    if (status !== 200) return { kind: "unreadable", code: `status ${status}` };
    const token = tokenIn(textOf(fieldsOf(JSON.parse(body)).value) ?? "");
    return token.kind === "claims" ? { ...token, isOwn: true } : token;
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: "unreadable", code: "MALFORMED" };
    // ERR_INVALID_CHAR: the variable is not as GitHub set it
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return { kind: "unreadable", code };
  }
}

/** Of several of the job's `id_tokens` the one that the trust policy may be about. */
function tokenOfGitLab(
  env: Environment,
  server: string,
  trust: TrustFact | undefined,
): TokenFact | undefined {
  const tokens = Object.values(env).flatMap((value) => {
    const token = value !== undefined && isToken(value) ? tokenIn(value) : undefined;
    return token?.kind === "claims" && token.issuer === server ? [token] : [];
  });
  const wanted = new Set(
    trust?.statements
      .flatMap(({ conditions }) => conditions)
      .filter((each) => isClaim(each, "aud"))
      .flatMap(({ values }) => values),
  );
  return tokens.find(({ audiences }) => audiences.some((each) => wanted.has(each))) ?? tokens[0];
}
