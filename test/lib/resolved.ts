import { ofType, only, type Resource, type Resources } from "./synthesized.ts";

export const ACCOUNT = "123456789012";
export const REGION = "eu-west-1";
/** The part of a stack's id that no other creation has. */
export const STACK_UUID = "0b9a5ae0-c8f1-11f0-9a44-0a58a9feac02";

const PSEUDO: Readonly<Record<string, string>> = {
  "AWS::AccountId": ACCOUNT,
  "AWS::Partition": "aws",
  "AWS::Region": REGION,
  "AWS::StackId": `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/Mayfly/${STACK_UUID}`,
};

/** Types whose Ref is their ARN. */
const REF_IS_ARN = [
  "AWS::Lambda::Alias",
  "AWS::SecretsManager::Secret",
  "AWS::SecretsManager::SecretTargetAttachment",
];

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const refOf = (value: unknown): string => (isRecord(value) ? String(value.Ref) : "");

/** The template's values as CloudFormation would make them, as far as policies need. */
export class Resolved {
  readonly #resources: Resources;

  constructor(resources: Resources) {
    this.#resources = resources;
  }

  /** The ARN of the one resource of a type whose logical id contains a word. */
  arn(type: string, word = ""): string {
    return this.#arnOf(...only(this.#resources, type, word));
  }

  /** The ARN of a resource by its logical id. */
  arnOf(id: string): string {
    return this.#attribute(id, "Arn");
  }

  /** The ARNs of all resources of a type. */
  arns(type: string): readonly string[] {
    return ofType(this.#resources, type).map(([id]) => this.arnOf(id));
  }

  /** Replace references by what they refer to. Throws for what it does not know. */
  value(template: unknown): unknown {
    if (Array.isArray(template)) return template.map((each) => this.value(each));
    if (!isRecord(template)) return template;
    if (typeof template.Ref === "string") return this.#ref(template.Ref);
    const attribute = template["Fn::GetAtt"];
    if (Array.isArray(attribute)) return this.#attribute(String(attribute[0]), attribute[1]);
    const join = template["Fn::Join"];
    if (Array.isArray(join)) {
      const parts = this.value(join[1]);
      return Array.isArray(parts) ? parts.join(String(join[0])) : undefined;
    }
    const select = template["Fn::Select"];
    if (Array.isArray(select)) return (this.value(select[1]) as unknown[])[Number(select[0])];
    const split = template["Fn::Split"];
    if (Array.isArray(split)) return String(this.value(split[1])).split(String(split[0]));
    return Object.fromEntries(Object.entries(template).map(([key, v]) => [key, this.value(v)]));
  }

  /** The identity policies of the one role whose logical id contains a word. */
  identityPolicies(word: string): { name: string; policy: unknown }[] {
    const [roleId] = only(this.#resources, "AWS::IAM::Role", word);
    return ofType(this.#resources, "AWS::IAM::Policy")
      .filter(([, { Properties }]) => JSON.stringify(Properties.Roles).includes(`"${roleId}"`))
      .map(([name, { Properties }]) => ({ name, policy: this.value(Properties.PolicyDocument) }));
  }

  /** The resource policy of a function, an alias or a queue, if it has one. */
  resourcePolicy(arn: string): unknown {
    return this.#queuePolicy(arn) ?? this.#functionPolicy(arn);
  }

  #queuePolicy(arn: string): unknown {
    const [, policy] =
      ofType(this.#resources, "AWS::SQS::QueuePolicy").find(([, { Properties }]) =>
        this.#queueArns(Properties.Queues).includes(arn),
      ) ?? [];
    return policy && this.value(policy.Properties.PolicyDocument);
  }

  #queueArns(queues: unknown): string[] {
    return (queues as unknown[]).map((each) => this.#attribute(refOf(each), "Arn"));
  }

  #functionPolicy(arn: string): unknown {
    return ofType(this.#resources, "AWS::Lambda::ResourcePolicy")
      .map(([, { Properties }]) => this.value(Properties))
      .filter(isRecord)
      .find((properties) => properties.ResourceArn === arn)?.PolicyDocument;
  }

  #ref(name: string): string {
    const resource = this.#resources[name];
    if (resource === undefined) return PSEUDO[name] ?? name;
    return REF_IS_ARN.includes(resource.Type) ? this.#arnOf(name, resource) : name;
  }

  #attribute(id: string, attribute: unknown): string {
    const resource = this.#resources[id];
    if (resource === undefined) throw new Error(`there is no resource ${id}`);
    return attribute === "Arn" ? this.#arnOf(id, resource) : `${id}.${String(attribute)}`;
  }

  #arnOf(id: string, { Type, Properties }: Resource): string {
    const at = (service: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}`;
    switch (Type) {
      case "AWS::Lambda::Function":
        return `${at("lambda")}:function:${typeof Properties.FunctionName === "string" ? Properties.FunctionName : id}`;
      case "AWS::Lambda::Alias":
        return `${String(this.#attribute(refOf(Properties.FunctionName), "Arn"))}:${String(Properties.Name)}`;
      case "AWS::IAM::Role":
        return `arn:aws:iam::${ACCOUNT}:role/${String(this.value(Properties.RoleName ?? id))}`;
      case "AWS::SecretsManager::Secret":
        return `${at("secretsmanager")}:secret:${id}-AbCdEf`;
      case "AWS::SecretsManager::SecretTargetAttachment":
        return String(this.value(Properties.SecretId));
      case "AWS::Scheduler::ScheduleGroup":
        return `${at("scheduler")}:schedule-group/${String(this.value(Properties.Name))}`;
      case "AWS::SQS::Queue":
        return `${at("sqs")}:${id}`;
      case "AWS::Logs::LogGroup":
        return `${at("logs")}:log-group:${id}:*`;
      default:
        throw new Error(`no ARN is known for ${Type}`);
    }
  }
}
