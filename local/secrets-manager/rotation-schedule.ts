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

/**
 * `AWS::SecretsManager::RotationSchedule`: CloudFormation starts and ends the rotation of a secret.
 */
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
      // the function must not be deleted while it runs
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
  // AWS would refuse during a rotation; there an update comes minutes later, here at once
  await rotation.activities.idle(secret);
  try {
    await rotation.rotate(secret, {
      RotationLambdaARN: wanted.RotationLambdaARN,
      RotationRules: wanted.RotationRules,
      RotateImmediately: String(wanted.RotateImmediatelyOnUpdate ?? true) === "true",
    });
  } catch (error) {
    // a rollback may want what is configured already, although a rotation is not complete
    if (!isSo(secret, wanted)) throw error;
  }
  store.touch(secret);
  return { ref: secret.arn };
}

const isSo = ({ rotation }: StoredSecret, wanted: ScheduleProperties): boolean =>
  rotation?.enabled === true &&
  rotation.functionArn === wanted.RotationLambdaARN &&
  isDeepStrictEqual(rotation.rules, wanted.RotationRules);
