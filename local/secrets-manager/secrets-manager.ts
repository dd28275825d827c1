import { randomUUID } from "node:crypto";
import type { GetRandomPasswordRequest } from "@aws-sdk/client-secrets-manager";
import type { Created, Existing, Resource, ResourceTypes } from "../cloudformation/resource.ts";
import { jsonService, type Service } from "../http/protocols.ts";
import type { PolicyDocument } from "../iam/identity.ts";
import { randomPassword } from "./random-password.ts";
import { rotationSchedule } from "./rotation-schedule.ts";
import { secretOperations } from "./secret-operations.ts";
import type { SecretRotation } from "./secret-rotation.ts";
import type { SecretStore } from "./secret-store.ts";
import type { SecretSettings } from "./stored-secret.ts";

interface SecretProperties extends SecretSettings {
  readonly Name?: string;
  readonly SecretString?: string;
  readonly GenerateSecretString?: GetRandomPasswordRequest & {
    readonly SecretStringTemplate?: string;
    readonly GenerateStringKey?: string;
  };
}

/** A template's `{{resolve:secretsmanager:…}}`. Omitted parts are empty. */
export interface SecretReference {
  readonly id: string;
  /** A member of a JSON secret. Empty: the whole value. */
  readonly key: string;
  readonly stage: string;
  readonly version: string;
}

/** The keys that a secret gets from the database it is attached to. */
export type DatabaseFacts = (dbInstanceIdentifier: string) => Readonly<Record<string, unknown>>;

interface SecretsManagerOptions {
  readonly store: SecretStore;
  readonly rotation: SecretRotation;
  readonly databaseFacts: DatabaseFacts;
}

/** AWS Secrets Manager. */
export class SecretsManager {
  readonly #options: SecretsManagerOptions;
  readonly service: Service;
  readonly resources: ResourceTypes;

  constructor(options: SecretsManagerOptions) {
    this.#options = options;
    const { store, rotation } = options;
    this.service = jsonService("secretsmanager", secretOperations(options));
    this.resources = {
      "AWS::SecretsManager::Secret": {
        changes: {
          Name: "replace",
          Description: "update",
          KmsKeyId: "update",
          ReplicaRegions: "update",
          Tags: "update",
        },
        create: (resource) => this.#create(resource),
        update: (resource, former) => this.#update(resource, former),
        remove: ({ ref }) => {
          const secret = store.lookup(ref);
          if (secret === undefined) return;
          rotation.forget(secret);
          store.remove(secret);
        },
      },
      "AWS::SecretsManager::ResourcePolicy": {
        changes: { SecretId: "replace", "*": "update" },
        create: (resource) => this.#setPolicy(resource),
        update: (resource) => this.#setPolicy(resource),
        remove: ({ ref }) => {
          delete store.lookup(ref)?.policy;
        },
      },
      "AWS::SecretsManager::SecretTargetAttachment": {
        changes: {},
        create: (resource) => this.#attach(resource),
        remove: () => {},
      },
      "AWS::SecretsManager::RotationSchedule": rotationSchedule(store, rotation),
    };
  }

  /** The value that a template refers to. */
  resolve({ id, key, stage, version }: SecretReference): string {
    const { versions } = this.#options.store.find(id);
    const { value } = versions.get(version || undefined, stage || undefined);
    return key === "" ? value : String((JSON.parse(value) as Record<string, unknown>)[key]);
  }

  #create({ properties, physicalName }: Resource): Created {
    const { Name, SecretString, GenerateSecretString: generate } = properties as SecretProperties;
    const secret = this.#options.store.add(Name ?? physicalName(64), settingsIn(properties));
    const value = SecretString ?? (generate && generated(generate));
    if (value !== undefined) secret.versions.put(randomUUID(), value, ["AWSCURRENT"]);
    return { ref: secret.arn, attributes: { Id: secret.arn } };
  }

  #update({ properties }: Resource, { ref }: Existing): Created {
    const { store } = this.#options;
    const secret = store.find(ref);
    secret.settings = settingsIn(properties);
    store.touch(secret);
    return { ref, attributes: { Id: ref } };
  }

  #attach({ properties }: Resource): Created {
    const { SecretId, TargetId } = properties as { SecretId: string; TargetId: string };
    const { store, databaseFacts } = this.#options;
    const { arn, versions } = store.find(SecretId);
    const value = JSON.parse(versions.get(undefined, undefined).value) as object;
    const attached = JSON.stringify({ ...value, ...databaseFacts(TargetId) });
    versions.put(randomUUID(), attached, ["AWSCURRENT"]);
    return { ref: arn };
  }

  #setPolicy({ properties }: Resource): Created {
    const { SecretId, ResourcePolicy } = properties as Record<string, unknown>;
    this.#options.store.find(String(SecretId)).policy = ResourcePolicy as PolicyDocument;
    return { ref: String(SecretId) };
  }
}

function settingsIn(properties: Resource["properties"]): SecretSettings {
  const { Description, KmsKeyId, Tags, ReplicaRegions } = properties as SecretProperties;
  return {
    ...(Description !== undefined && { Description }),
    ...(KmsKeyId !== undefined && { KmsKeyId }),
    ...(Tags !== undefined && { Tags }),
    ...(ReplicaRegions !== undefined && { ReplicaRegions }),
  };
}

function generated(options: NonNullable<SecretProperties["GenerateSecretString"]>): string {
  const { SecretStringTemplate: template, GenerateStringKey: key, ...rules } = options;
  const password = randomPassword(rules);
  if (template === undefined || key === undefined) return password;
  return JSON.stringify({ ...(JSON.parse(template) as object), [key]: password });
}
