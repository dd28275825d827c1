import { isDeepStrictEqual } from "node:util";
import type { RotationRulesType } from "@aws-sdk/client-secrets-manager";
import type { Created, Resource, ResourceType } from "../cloudformation/resource.ts";
import type { SecretRotation } from "./secret-rotation.ts";
import type { SecretStore } from "./secret-store.ts";
import type { StoredSecret } from "./stored-secret.ts";

interface ScheduleProperties {
  readonly SecretId: string;
  readonly RotationLambdaARN?: string;
  readonly RotationRules?: RotationRulesType;
  readonly RotateImmediatelyOnUpdate?: boolean | string;
}

/** `AWS::SecretsManager::RotationSchedule`: RotateSecret by CloudFormation, and its end. */
export function rotationSchedule(store: SecretStore, rotation: SecretRotation): ResourceType {
  const put = (resource: Resource): Promise<Created> => configure(resource, store, rotation);
  return {
    changes: { SecretId: "replace", "*": "update" },
    create: put,
    update: put,
    remove: async ({ ref }) => {
      const secret = store.lookup(ref);
      if (secret?.rotation === undefined) return;
      rotation.cancel(secret);
      // nobody may take the function away while it is at work
      await rotation.activities.idle(secret);
    },
  };
}

async function configure(
  { logicalId, properties }: Resource,
  store: SecretStore,
  rotation: SecretRotation,
): Promise<Created> {
  if ("HostedRotationLambda" in properties)
    throw new Error(
      `${logicalId}: the local runner only rotates with a function of the template, not with HostedRotationLambda`,
    );
  const wanted = properties as unknown as ScheduleProperties;
  const secret = store.find(wanted.SecretId);
  // one that is running would fail this on AWS, where an update comes minutes later
  await rotation.activities.idle(secret);
  try {
    await rotation.rotate(secret, {
      RotationLambdaARN: wanted.RotationLambdaARN,
      RotationRules: wanted.RotationRules,
      RotateImmediately: String(wanted.RotateImmediatelyOnUpdate ?? true) === "true",
    });
  } catch (error) {
    // what a rollback wants may be there all along, behind a rotation that is not complete
    if (!isSo(secret, wanted)) throw error;
  }
  store.touch(secret);
  return { ref: secret.arn };
}

const isSo = ({ rotation }: StoredSecret, wanted: ScheduleProperties): boolean =>
  rotation?.enabled === true &&
  rotation.functionArn === wanted.RotationLambdaARN &&
  isDeepStrictEqual(rotation.rules, wanted.RotationRules);
