import type { IdentityFacts } from "../../../core/doctor/identity/identity-facts.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { certificateIn } from "../identity/credential-helper.ts";
import { isToken, tokenIn } from "../identity/projected-token.ts";
import { documentsIn, type Fields, fieldsOf, listOf } from "./documents.ts";
import { awsAnswerIn } from "./from-aws.ts";
import { podIn, serviceAccountIn } from "./from-kubernetes.ts";

/** What files tell of a workload. */
export type Evidence = Omit<Partial<IdentityFacts>, "now">;

const KNOWN =
  "a service account, a pod or what has a pod's template (kubectl get … -o json), or what aws printed of iam get-role, eks describe-cluster, eks describe-pod-identity-association, iam get-open-id-connect-provider, iam list-open-id-connect-providers, ecs describe-task-definition, ec2 describe-instances, rolesanywhere get-trust-anchor, rolesanywhere get-profile, sts get-caller-identity; a token or its claims, or a certificate in PEM";

/**
 * What texts tell that kubectl or the AWS CLI printed. Each document is recognised by its shape.
 *
 * @param texts by what they are called in errors.
 * @throws Failure for a text that is no document, or none that is known.
 */
export async function readEvidence(texts: ReadonlyMap<string, string>): Promise<Evidence> {
  let all: Evidence = {};
  for (const [what, text] of texts) {
    const whole = wholeIn(text);
    if (whole !== undefined) {
      all = merged(all, whole);
      continue;
    }
    for (const document of (await documentsIn(text, what)).flatMap(itemsOf))
      all = merged(all, evidenceIn(document, what));
  }
  return all;
}

/** What is no document: a certificate, a token. Documents have certificates inside of a line. */
function wholeIn(text: string): Evidence | undefined {
  if (/^-----BEGIN CERTIFICATE-----/m.test(text)) return { certificate: certificateIn(text) };
  return isToken(text.trim()) ? { token: tokenIn(text) } : undefined;
}

/** Lists of Kubernetes are taken apart. */
const itemsOf = (document: unknown): readonly Fields[] => {
  const fields = fieldsOf(document);
  const isList = Array.isArray(fields.items) && String(fields.kind).endsWith("List");
  return isList ? listOf(fields.items).flatMap(itemsOf) : [fields];
};

function evidenceIn(document: Fields, what: string): Evidence {
  if (document.kind === "ServiceAccount") return { serviceAccount: serviceAccountIn(document) };
  const pod = podIn(document);
  if (pod !== undefined) return { pod };
  const answer = typeof document.kind === "string" ? {} : awsAnswerIn(document, what);
  if (answer !== undefined) return answer;
  throw new Failure(
    Exit.usage,
    `--from: ${what} is nothing that the doctor knows; it reads ${KNOWN}`,
  );
}

/** Associations, trust anchors and profiles of several files count together; of other things the last one does. */
const merged = (one: Evidence, other: Evidence): Evidence => ({
  ...one,
  ...other,
  ...(one.associations !== undefined &&
    other.associations !== undefined && {
      associations: [
        ...other.associations,
        ...one.associations.filter(
          (each) =>
            !other.associations?.some(
              ({ cluster, namespace, serviceAccount }) =>
                cluster === each.cluster &&
                namespace === each.namespace &&
                serviceAccount === each.serviceAccount,
            ),
        ),
      ],
    }),
  ...both("trustAnchors", one, other),
  ...both("anywhereProfiles", one, other),
});

/** A list of two files in one. Of what is in both, the last counts. */
function both<Key extends "trustAnchors" | "anywhereProfiles">(
  key: Key,
  one: Evidence,
  other: Evidence,
): Evidence {
  const [before, after] = [one[key], other[key]];
  if (before === undefined || after === undefined) return {};
  const kept = before.filter(({ arn }) => !after.some((each) => each.arn === arn));
  return { [key]: [...after, ...kept] };
}
