import type { CreateScheduleInput, ScheduleSummary } from "@aws-sdk/client-scheduler";
import { type Account, arnOf } from "../account.ts";
import type { Created, Resource, ResourceTypes } from "../cloudformation/resource.ts";
import { AwsError } from "../http/aws-error.ts";
import { parseBody } from "../http/parse-request.ts";
import { jsonReply, type Route, restService, type Service } from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";
import type { Identities, Session } from "../iam/identity.ts";
import type { Lambda } from "../lambda/lambda.ts";
import type { Sqs } from "../sqs/sqs.ts";
import { validateSchedule } from "./schedule-expression.ts";
import { deliverSchedule, resolveTarget } from "./schedule-target.ts";
import { type StoredSchedule, shown, summarized } from "./stored-schedule.ts";

interface SchedulerOptions {
  readonly account: Account;
  readonly access: Access;
  readonly identities: Identities;
  readonly lambda: Lambda;
  readonly sqs: Sqs;
  /** Deliver every event twice: Scheduler delivers at least once. */
  readonly duplicateDeliveries: boolean;
  readonly onFault: (line: string) => void;
}

/** Longer waits overflow a timer. Milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Amazon EventBridge Scheduler, with real timers. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  /** When each group was created. */
  readonly #groups = new Map([["default", new Date()]]);
  readonly #schedules = new Map<string, StoredSchedule>();
  readonly #stopping = new AbortController();
  readonly #deliveries = new Set<Promise<unknown>>();
  #started = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  get service(): Service {
    const one = /^\/schedules\/(?<name>[^/]+)$/;
    const group = /^\/schedule-groups\/(?<group>[^/]+)$/;
    const route = (method: string, path: RegExp, run: Route["run"]): Route => ({
      method,
      path,
      run,
    });
    return restService("scheduler", [
      route("POST", one, async ({ name = "" }, { body, caller }) => {
        const request = parseBody(body) as unknown as CreateScheduleInput;
        return jsonReply({ ScheduleArn: await this.#create({ ...request, Name: name }, caller) });
      }),
      route("GET", one, async ({ name = "" }, { url, caller }) => {
        const group = url.searchParams.get("groupName") ?? "default";
        return jsonReply(shown(await this.#allowed(caller, "GetSchedule", group, name)));
      }),
      route("DELETE", one, async ({ name = "" }, { url, caller }) => {
        const group = url.searchParams.get("groupName") ?? "default";
        this.#remove(await this.#allowed(caller, "DeleteSchedule", group, name));
        return jsonReply({});
      }),
      route("GET", group, async ({ group: Name = "" }, { caller }) => {
        const Arn = this.#arn("schedule-group", Name);
        const request = { action: "scheduler:GetScheduleGroup", resource: Arn };
        await this.#options.access.authorize(caller, request);
        const CreationDate = this.#assertGroup(Name);
        return jsonReply({
          Arn,
          Name,
          State: "ACTIVE",
          CreationDate,
          LastModificationDate: CreationDate,
        });
      }),
      route("DELETE", group, async ({ group = "" }, { caller }) => {
        const { access } = this.#options;
        const resource = this.#arn("schedule-group", group);
        await access.authorize(caller, { action: "scheduler:DeleteScheduleGroup", resource });
        // AWS's service reference lists both actions for this operation
        const schedules = this.#arn("schedule", `${group}/*`);
        await access.authorize(caller, {
          action: "scheduler:DeleteSchedule",
          resource: schedules,
        });
        this.#assertGroup(group);
        this.#removeGroup(group);
        return jsonReply({});
      }),
      route("GET", /^\/schedules$/, async (_, { url, caller }) => {
        // the action has no resource, so its permission is on `*`
        const request = { action: "scheduler:ListSchedules", resource: "*" };
        await this.#options.access.authorize(caller, request);
        return jsonReply(this.#list(url.searchParams));
      }),
    ]);
  }

  readonly resources: ResourceTypes = {
    "AWS::Scheduler::ScheduleGroup": {
      changes: { Name: "replace", Tags: "update" },
      create: ({ properties, physicalName }) => {
        const { Name: name = physicalName(64) } = properties as { Name?: string };
        if (this.#groups.has(name)) throw conflict(`Schedule group ${name}`);
        this.#groups.set(name, new Date());
        return { ref: name, attributes: { Arn: this.#arn("schedule-group", name) } };
      },
      remove: ({ ref }) => this.#removeGroup(ref),
    },
    "AWS::Scheduler::Schedule": {
      changes: { Name: "replace", GroupName: "replace", "*": "update" },
      create: (resource) => this.#declare(resource, resource.physicalName(64)),
      update: (resource, { ref }) => {
        this.#removeDeclared(resource, ref);
        return this.#declare(resource, ref);
      },
      remove: (resource) => this.#removeDeclared(resource, resource.ref),
    },
  };

  async #declare({ properties }: Resource, Name: string): Promise<Created> {
    const request = { Name, ...properties } as unknown as CreateScheduleInput;
    return { ref: request.Name ?? Name, attributes: { Arn: await this.#add(request) } };
  }

  #removeDeclared({ properties }: Pick<Resource, "properties">, name: string): void {
    const { GroupName = "default" } = properties as { GroupName?: string };
    const schedule = this.#schedules.get(this.#arn("schedule", `${GroupName}/${name}`));
    if (schedule !== undefined) this.#remove(schedule);
  }

  /** Delete a group and its schedules. */
  #removeGroup(name: string): void {
    for (const schedule of this.#schedules.values())
      if (schedule.group === name) this.#remove(schedule);
    this.#groups.delete(name);
  }

  #arn(kind: "schedule" | "schedule-group", name: string): string {
    return arnOf(this.#options.account, "scheduler", `${kind}/${name}`);
  }

  async #create(request: CreateScheduleInput, caller: Session): Promise<string> {
    const { access } = this.#options;
    const resource = this.#arn("schedule", `${request.GroupName ?? "default"}/${request.Name}`);
    await access.authorize(caller, { action: "scheduler:CreateSchedule", resource });
    await access.authorize(caller, {
      action: "iam:PassRole",
      resource: String(request.Target?.RoleArn),
      context: { "iam:PassedToService": "scheduler.amazonaws.com" },
    });
    return this.#add(request);
  }

  async #add(request: CreateScheduleInput): Promise<string> {
    const timing = validateSchedule(request, Date.now());
    const { GroupName: group = "default", Name: name = "" } = request;
    this.#assertGroup(group);
    const target = await resolveTarget(this.#options, this.#arn("schedule-group", group), request);
    const arn = this.#arn("schedule", `${group}/${name}`);
    const known = this.#schedules.get(arn);
    if (known !== undefined) {
      const sameToken = request.ClientToken === known.request.ClientToken;
      if (request.ClientToken !== undefined && sameToken) return arn;
      throw conflict(`Schedule ${name}`);
    }
    const createdAt = new Date();
    const schedule: StoredSchedule = { arn, group, name, request, target, timing, createdAt };
    this.#schedules.set(arn, schedule);
    if (this.#started) this.#begin(schedule);
    return arn;
  }

  /** When the group was created. @throws AwsError if there is none of this name. */
  #assertGroup(group: string): Date {
    const createdAt = this.#groups.get(group);
    if (createdAt === undefined) throw missing(`Schedule group ${group}`);
    return createdAt;
  }

  /** Start the timers, when the whole stack exists. */
  start(): void {
    this.#started = true;
    for (const schedule of this.#schedules.values()) this.#begin(schedule);
  }

  /** A rate without a start date fires at once. */
  #begin(schedule: StoredSchedule): void {
    const { timing } = schedule;
    this.#arm(schedule, "at" in timing ? timing.at : Date.now());
  }

  /** Never early: a timer may fire a millisecond early, and a long wait needs several timers. */
  #arm(schedule: StoredSchedule, due: number): void {
    const fire = (): void =>
      Date.now() < due ? this.#arm(schedule, due) : this.#fire(schedule, due);
    schedule.timer = setTimeout(fire, Math.min(Math.max(0, due - Date.now()), LONGEST_TIMER));
  }

  #fire(schedule: StoredSchedule, due: number): void {
    const { account, lambda, sqs, onFault, duplicateDeliveries } = this.#options;
    const { arn, target, timing, request } = schedule;
    if ("every" in timing) this.#arm(schedule, due + timing.every);
    if (request.State === "DISABLED") return;
    const scheduledAt = new Date(due);
    const deliveries = (duplicateDeliveries ? [1, 2] : [1]).map(() =>
      deliverSchedule(
        { account, lambda, sqs, signal: this.#stopping.signal },
        { arn, target, scheduledAt },
      ),
    );
    const done = Promise.all(deliveries)
      .catch((error: Error) => onFault(`schedule ${schedule.name} failed: ${error.message}`))
      .then(() => {
        if ("at" in timing && request.ActionAfterCompletion === "DELETE") this.#remove(schedule);
      })
      .finally(() => this.#deliveries.delete(done));
    this.#deliveries.add(done);
  }

  #remove(schedule: StoredSchedule): void {
    clearTimeout(schedule.timer);
    // another schedule may have its name by now
    if (this.#schedules.get(schedule.arn) === schedule) this.#schedules.delete(schedule.arn);
  }

  async #allowed(caller: Session, what: string, group: string, name: string) {
    const resource = this.#arn("schedule", `${group}/${name}`);
    await this.#options.access.authorize(caller, { action: `scheduler:${what}`, resource });
    const schedule = this.#schedules.get(resource);
    if (schedule === undefined) throw missing(`Schedule ${name}`);
    return schedule;
  }

  #list(query: URLSearchParams): { Schedules: ScheduleSummary[]; NextToken?: string | undefined } {
    const group = query.get("ScheduleGroup");
    const prefix = query.get("NamePrefix") ?? "";
    const state = query.get("State");
    const after = Buffer.from(query.get("NextToken") ?? "", "base64").toString();
    if (group !== null) this.#assertGroup(group);
    const found = [...this.#schedules.values()]
      .filter((each) => (group === null || each.group === group) && each.name.startsWith(prefix))
      .filter(({ request: { State = "ENABLED" } }) => state === null || state === State)
      .sort((a, b) => (a.arn < b.arn ? -1 : 1))
      .filter(({ arn }) => arn > after);
    const page = found.slice(0, Number(query.get("MaxResults") ?? 100));
    const last = found.length > page.length ? page.at(-1) : undefined;
    return {
      Schedules: page.map(summarized),
      NextToken: last && Buffer.from(last.arn).toString("base64"),
    };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const { timer } of this.#schedules.values()) clearTimeout(timer);
    await Promise.all(this.#deliveries);
  }
}

const missing = (what: string): AwsError =>
  new AwsError("ResourceNotFoundException", `${what} does not exist.`, { status: 404 });

const conflict = (what: string): AwsError =>
  new AwsError("ConflictException", `${what} already exists.`, { status: 409 });
