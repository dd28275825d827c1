import { join } from "node:path";
import { sourceIn } from "../../../core/doctor/identity/credential-source.ts";
import {
  type CredentialVariables,
  type ExpectedRole,
  type HelperFact,
  type IdentityFacts,
  isPipeline,
  type PodFact,
  type TokenFact,
} from "../../../core/doctor/identity/identity-facts.ts";
import type { DoctorPorts } from "../doctor-ports.ts";
import type { Evidence } from "../evidence/read-evidence.ts";
import { certificateOf, helperIn } from "./credential-helper.ts";
import { credentialVariables, platformOf } from "./credential-variables.ts";
import { jobIn } from "./job-token.ts";
import { askContainer, askInstance } from "./near-endpoints.ts";
import { tokenIn } from "./projected-token.ts";

/** What a person said, beside files. */
export interface Said {
  readonly expected?: ExpectedRole | undefined;
  /** Of the application, instead of this process. */
  readonly applicationCaller?: string | undefined;
  readonly applicationError?: string | undefined;
  /** Where AWS_REGION is not set. */
  readonly region?: string | undefined;
}

/**
 * Whether files describe a workload that runs elsewhere: then this machine's own credentials say
 * nothing of it.
 */
export function isElsewhere(env: DoctorPorts["env"], evidence: Evidence): boolean {
  const { pod, serviceAccount, taskDefinition, token, certificate } = evidence;
  const described = pod ?? serviceAccount ?? taskDefinition ?? token ?? certificate;
  const isDescribed = described !== undefined;
  return isDescribed && platformOf(env) === "other";
}

/** Everything that can be seen of a workload's identity, from here and from files. */
export async function gatherIdentity(
  ports: DoctorPorts,
  evidence: Evidence,
  said: Said,
): Promise<IdentityFacts> {
  const { expected, applicationCaller, applicationError, region } = said;
  const known = {
    ...evidence,
    now: ports.now(),
    ...(expected !== undefined && { expected }),
    ...(applicationCaller !== undefined && { applicationCaller }),
    ...(applicationError !== undefined && { applicationError: failureIn(applicationError) }),
  };
  if (isElsewhere(ports.env, evidence)) {
    const variables = variablesOfPod(evidence.pod);
    return { ...known, ...(variables !== undefined && { variables }) };
  }
  const variables = credentialVariables(ports.env, {
    hasDefaultProfile: await hasDefaultProfile(ports),
    region: region ?? (await regionOfProfile(ports)),
  });
  const source = sourceIn(variables);
  const isAtMachine = source === "instance" || variables.platform === "kubernetes";
  // in a job the keys are of a role that a step took, by the job's own token
  const isOfStep = source === "keys" && isPipeline(variables.platform);
  const helper = source === "profile" ? await helperOf(ports) : undefined;
  const [token, { job, token: tokenOfJob }, certificate, container, instance, caller] =
    await Promise.all([
      isOfStep ? undefined : readToken(ports, variables.tokenFile),
      jobIn(ports, evidence.trust),
      helper === undefined ? undefined : certificateOf(ports, helper),
      askContainer(ports),
      isAtMachine && !variables.isMetadataOff ? askInstance(ports) : undefined,
      ports.callerIdentity(variables.region),
    ]);
  return {
    ...known,
    variables,
    caller,
    ...(tokenOfJob !== undefined && { token: tokenOfJob }),
    ...(token !== undefined && { token }),
    ...(job !== undefined && { job }),
    ...(helper !== undefined && { helper }),
    ...(certificate !== undefined && { certificate }),
    ...(container !== undefined && { container }),
    ...(instance !== undefined && { instance }),
  };
}

/** The variables of the first container that has some. A template has none yet. */
function variablesOfPod(pod: PodFact | undefined): CredentialVariables | undefined {
  if (pod?.isRunning !== true) return undefined;
  const [first] = pod.containers;
  const own = pod.containers.find(({ variables }) => Object.keys(variables).length > 0) ?? first;
  return credentialVariables(own?.variables ?? {}, {
    platform: "kubernetes",
    hasDefaultProfile: false,
  });
}

async function readToken(
  ports: DoctorPorts,
  file: string | undefined,
): Promise<TokenFact | undefined> {
  if (file === undefined) return undefined;
  try {
    return tokenIn(await ports.readFile(file));
  } catch (error) {
    return { kind: "unreadable", code: String((error as NodeJS.ErrnoException).code) };
  }
}

/** An error as programs print it: `Name: message`, or the AWS CLI's `(Name) when calling …`. */
function failureIn(text: string): { readonly name: string; readonly message: string } {
  const [, ofCli, message] =
    /\(([A-Za-z]+)\) when calling .*? operation[^:]*: (.*)$/s.exec(text) ?? [];
  if (ofCli !== undefined && message !== undefined) return { name: ofCli, message };
  const [, name, rest] = /^([A-Za-z]+): (.*)$/s.exec(text) ?? [];
  return name !== undefined && rest !== undefined
    ? { name, message: rest }
    : { name: "", message: text };
}

const readIfThere = async (ports: DoctorPorts, path: string): Promise<string> =>
  ports.readFile(path).catch(() => "");

/** The lines of a section of AWS's files. */
function sectionOf(text: string, name: string): string {
  const sections = text.split(/^\s*\[/m);
  return sections.find((each) => each.startsWith(`${name}]`)) ?? "";
}

/** Whether the SDK finds credentials under `default` in the files of the home folder. */
async function hasDefaultProfile(ports: DoctorPorts): Promise<boolean> {
  const { AWS_SHARED_CREDENTIALS_FILE: credentials, AWS_CONFIG_FILE: config } = ports.env;
  const texts = await Promise.all([
    readIfThere(ports, credentials || join(ports.home, ".aws", "credentials")),
    readIfThere(ports, config || join(ports.home, ".aws", "config")),
  ]);
  return texts.some((text) =>
    /^\s*(?:aws_access_key_id|role_arn|sso_session|sso_start_url|credential_process|web_identity_token_file)\s*=/m.test(
      sectionOf(text, "default"),
    ),
  );
}

/** What the configuration file has of the profile in use. */
async function profileIn(ports: DoctorPorts): Promise<string> {
  const { AWS_CONFIG_FILE: config, AWS_PROFILE: profile } = ports.env;
  const text = await readIfThere(ports, config || join(ports.home, ".aws", "config"));
  const name = profile && profile !== "default" ? `profile ${profile}` : "default";
  return sectionOf(text, name);
}

const regionOfProfile = async (ports: DoctorPorts): Promise<string | undefined> =>
  /^\s*region\s*=\s*(\S+)/m.exec(await profileIn(ports))?.[1];

const helperOf = async (ports: DoctorPorts): Promise<HelperFact | undefined> =>
  helperIn(/^\s*credential_process\s*=\s*(.+)/m.exec(await profileIn(ports))?.[1] ?? "");
