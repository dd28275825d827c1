import { randomUUID } from "node:crypto";
import type { EventSourceMappingConfiguration } from "@aws-sdk/client-lambda";
import { type Account, arnOf } from "../account.ts";
import type { Created, Resource, ResourceTypes } from "../cloudformation/resource.ts";
import { AwsError } from "../http/aws-error.ts";
import { jsonReply, type Route } from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";
import {
  EventSourceMapping,
  type MappingDeps,
  type MappingSettings,
} from "./event-source-mapping.ts";

interface MappingProperties {
  readonly EventSourceArn?: string;
  readonly FunctionName?: string;
  readonly Enabled?: boolean | string;
  readonly BatchSize?: number | string;
  readonly MaximumBatchingWindowInSeconds?: number | string;
  readonly ScalingConfig?: { readonly MaximumConcurrency?: number | string };
  readonly FunctionResponseTypes?: readonly string[];
}

const SUPPORTED: readonly string[] = [
  "EventSourceArn",
  "FunctionName",
  "Enabled",
  "BatchSize",
  "MaximumBatchingWindowInSeconds",
  "ScalingConfig",
  "FunctionResponseTypes",
  "Tags",
] satisfies readonly (keyof MappingProperties | "Tags")[];

/** Lambda's actions on a queue with the function's role. */
const ACTIONS = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];

/** Lambda's event source mappings of queues. */
export class EventSourceMappings {
  readonly #account: Account;
  readonly #access: Access;
  readonly #deps: MappingDeps;
  readonly #all = new Map<string, EventSourceMapping>();

  constructor(account: Account, access: Access, deps: Omit<MappingDeps, "region">) {
    this.#account = account;
    this.#access = access;
    this.#deps = { ...deps, region: account.region };
  }

  readonly resources: ResourceTypes = {
    "AWS::Lambda::EventSourceMapping": {
      changes: { EventSourceArn: "replace", "*": "update" },
      create: async (resource) => {
        const settings = await this.#settingsOf(resource);
        const id = randomUUID();
        this.#all.set(id, new EventSourceMapping(settings, this.#deps));
        return this.#created(id);
      },
      update: async (resource, { ref }) => {
        const settings = await this.#settingsOf(resource);
        this.#all.get(ref)?.change(settings);
        return this.#created(ref);
      },
      remove: async ({ ref }) => {
        await this.#all.get(ref)?.stop();
        this.#all.delete(ref);
      },
    },
  };

  /** Lambda's operation GetEventSourceMapping. */
  readonly route: Route = {
    method: "GET",
    path: /^\/2015-03-31\/event-source-mappings\/(?<id>[^/]+)\/?$/,
    run: async ({ id = "" }, { caller }) => {
      const request = { action: "lambda:GetEventSourceMapping", resource: this.#arnOf(id) };
      await this.#access.authorize(caller, request);
      const mapping = this.#all.get(id);
      if (mapping !== undefined) return jsonReply(this.#shown(id, mapping));
      throw new AwsError(
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
        { status: 404, details: { Type: "User" } },
      );
    },
  };

  #shown(id: string, { settings, changedAt }: EventSourceMapping): EventSourceMappingConfiguration {
    const { maximumConcurrency } = settings;
    return {
      UUID: id,
      EventSourceMappingArn: this.#arnOf(id),
      EventSourceArn: settings.queueArn,
      FunctionArn: this.#deps.functions.find(settings.functionName).arn,
      BatchSize: settings.batchSize,
      MaximumBatchingWindowInSeconds: settings.window / 1_000,
      FunctionResponseTypes: settings.reportsFailures ? ["ReportBatchItemFailures"] : [],
      State: settings.enabled ? "Enabled" : "Disabled",
      StateTransitionReason: "USER_INITIATED",
      LastModified: changedAt,
      ...(Number.isFinite(maximumConcurrency) && {
        ScalingConfig: { MaximumConcurrency: maximumConcurrency },
      }),
    };
  }

  #arnOf(id: string): string {
    return arnOf(this.#account, "lambda", `event-source-mapping:${id}`);
  }

  #created(id: string): Created {
    const arn = this.#arnOf(id);
    return { ref: id, attributes: { Id: id, EventSourceMappingArn: arn } };
  }

  /**
   * @throws AwsError as CreateEventSourceMapping; Error for settings that the runner does not have.
   */
  async #settingsOf({ logicalId, properties }: Resource): Promise<MappingSettings> {
    const { EventSourceArn: queueArn = "", ...wanted } = properties as MappingProperties;
    const unsupported = Object.keys(properties).filter((name) => !SUPPORTED.includes(name));
    if (unsupported.length > 0 || !queueArn.startsWith("arn:aws:sqs:"))
      throw new Error(
        `${logicalId}: the local runner has event source mappings of queues, without ${unsupported.join(", ") || `the source "${queueArn}"`}`,
      );
    const settings = {
      queueArn,
      functionName: String(wanted.FunctionName),
      enabled: String(wanted.Enabled ?? true) === "true",
      batchSize: Number(wanted.BatchSize ?? 10),
      window: Number(wanted.MaximumBatchingWindowInSeconds ?? 0) * 1_000,
      maximumConcurrency: Number(
        wanted.ScalingConfig?.MaximumConcurrency ?? Number.POSITIVE_INFINITY,
      ),
      reportsFailures: wanted.FunctionResponseTypes?.includes("ReportBatchItemFailures") ?? false,
    };
    assertValid(settings);
    await this.#assertReadable(settings);
    return settings;
  }

  async #assertReadable({ functionName, queueArn }: MappingSettings): Promise<void> {
    const { functions, identities, sqs } = this.#deps;
    const { lambda, version } = functions.target(functionName);
    const caller = identities.session(lambda.role, lambda.name);
    const { settings } = sqs.find(queueArn);
    for (const action of ACTIONS)
      await sqs.authorize(caller, action, queueArn).catch((error: unknown) => {
        if (!(error instanceof AwsError) || error.code !== "AccessDeniedException") throw error;
        throw invalid(
          `The function execution role does not have permissions to call ${action} on SQS`,
        );
      });
    const timeout = lambda.instance(version).timeoutSeconds;
    const visibility = settings.visibilityTimeout / 1_000;
    if (visibility < timeout)
      throw invalid(
        `Queue visibility timeout: ${visibility} seconds is less than Function timeout: ${timeout} seconds`,
      );
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#all.values()].map((each) => each.stop()));
  }
}

/** Lambda's own limits for standard queues. */
function assertValid({ batchSize, window, maximumConcurrency }: MappingSettings): void {
  if (!isWhole(batchSize, 1, 10_000))
    throw invalid(`BatchSize must be 1 to 10000 for a queue, got ${batchSize}`);
  if (!isWhole(window, 0, 300_000))
    throw invalid(`MaximumBatchingWindowInSeconds must be 0 to 300, got ${window / 1_000}`);
  if (batchSize > 10 && window < 1_000)
    throw invalid(
      "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    );
  if (Number.isFinite(maximumConcurrency) && !isWhole(maximumConcurrency, 2, 1_000))
    throw invalid(`MaximumConcurrency must be 2 to 1000, got ${maximumConcurrency}`);
}

const isWhole = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

const invalid = (message: string): AwsError =>
  new AwsError("InvalidParameterValueException", message, { status: 400 });
