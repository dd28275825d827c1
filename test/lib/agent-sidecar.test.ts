import { Duration, type Stack } from "aws-cdk-lib";
import {
  type CfnTaskDefinition,
  Compatibility,
  ContainerDefinition,
  ContainerImage,
  CpuArchitecture,
  Ec2TaskDefinition,
  FargateTaskDefinition,
  LogDrivers,
  NetworkMode,
  OperatingSystemFamily,
  PidMode,
  Protocol,
  TaskDefinition,
} from "aws-cdk-lib/aws-ecs";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { afterAll, describe, expect, test } from "vitest";
import { parseConfiguration } from "../../client/agent/parse-configuration.ts";
import { type AgentSidecarProps, addAgentSidecar } from "../../lib/index.ts";
import { ofType, only, READONLY, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const HERE = { account: "111122223333", region: "eu-west-1" };
const ARN = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:shop--readonly";
const IMAGE = ContainerImage.fromRegistry("agent");
const ONE = { "orders/readonly": { arn: ARN } };

type Made = (stack: Stack) => TaskDefinition;
const fargate: Made = (stack) => new FargateTaskDefinition(stack, "Task");
const onEc2 =
  (networkMode: NetworkMode): Made =>
  (stack) =>
    new Ec2TaskDefinition(stack, "Task", { networkMode });

interface Scene {
  readonly stack: Stack;
  readonly task: TaskDefinition;
  readonly app: ContainerDefinition;
}

function scene(make: Made = fargate, stack = bench.stackIn(HERE)): Scene {
  const task = make(stack);
  const app = task.addContainer("app", {
    image: ContainerImage.fromRegistry("app"),
    memoryLimitMiB: 128,
  });
  return { stack, task, app };
}

const add = ({ task, app }: Scene, props: Partial<AgentSidecarProps> = {}): ContainerDefinition =>
  addAgentSidecar(task, { image: IMAGE, containers: [app], leases: ONE, ...props });

type Properties = CfnTaskDefinition.ContainerDefinitionProperty;
/** As the template has them: with capitals. */
type Container = Readonly<Record<Capitalize<keyof Properties>, unknown>> & {
  readonly Name: string;
  readonly Environment?: readonly { readonly Name: string; readonly Value: unknown }[];
};
interface Synthesized {
  readonly task: Readonly<Record<string, unknown>>;
  readonly app: Container;
  readonly sidecar: Container;
  /** What the agent reads. */
  readonly json: Readonly<Record<string, unknown>>;
}

function synthesized({ stack }: Scene): Synthesized {
  const [, { Properties: task }] = only(resourcesOf(stack), "AWS::ECS::TaskDefinition");
  const [app, sidecar] = task.ContainerDefinitions as readonly Container[];
  if (app === undefined || sidecar === undefined) throw new Error("a container is missing");
  return { task, app, sidecar, json: JSON.parse(String(variablesOf(sidecar).MAYFLY_AGENT_CONFIG)) };
}

const variablesOf = ({ Environment = [] }: Container): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Environment.map(({ Name, Value }) => [Name, Value]));

describe("on Fargate", () => {
  test("the sidecar may do as little as can be, and the application waits for it", () => {
    const here = scene();
    add(here);
    const { task, app, sidecar } = synthesized(here);
    expect(sidecar).toMatchObject({
      Name: "mayfly",
      User: "65532:65532",
      ReadonlyRootFilesystem: true,
      Essential: false,
      Command: ["--json"],
      StopTimeout: 35,
      RestartPolicy: { Enabled: true, RestartAttemptPeriod: 60 },
      HealthCheck: {
        Command: ["CMD", "/nodejs/bin/node", "/opt/mayfly/mayfly-agent.mjs", "--ready"],
        Interval: 10,
        Timeout: 6,
        Retries: 3,
        StartPeriod: 60,
      },
      LinuxParameters: {
        Capabilities: { Drop: ["ALL"] },
        InitProcessEnabled: true,
        Tmpfs: [{ ContainerPath: "/run/mayfly", Size: 16 }],
      },
      LogConfiguration: { LogDriver: "awslogs" },
    });
    for (const none of ["Privileged", "Secrets", "PortMappings", "Memory", "MountPoints"] as const)
      expect(sidecar).not.toHaveProperty(none);
    expect(app.DependsOn).toEqual([{ ContainerName: "mayfly", Condition: "HEALTHY" }]);
    expect(app.Essential).toBe(true);
    expect(app).not.toHaveProperty("Environment");
    expect(app).not.toHaveProperty("MountPoints");
    expect(task).not.toHaveProperty("Volumes");
    const [, log] = only(resourcesOf(here.stack), "AWS::Logs::LogGroup");
    expect(log.Properties.RetentionInDays).toBe(30);
  });

  test("the agent understands what it is given, and nothing of it is a secret", () => {
    const here = scene();
    add(here, {
      leases: {
        "orders/readonly": { arn: ARN, port: 6_432, ttl: Duration.hours(2) },
        "orders/readwrite": { arn: ARN, socket: true },
        "orders/reports": { arn: ARN },
      },
      files: [{ path: "db/reports.env", from: "orders/reports", format: "env", mode: "0640" }],
      secretsManager: { clientCache: Duration.minutes(5) },
      grace: Duration.seconds(90),
      healthPort: 9_200,
      ca: "/etc/db.pem",
    });
    const { json, sidecar } = synthesized(here);
    expect(json).toEqual({
      leases: {
        "orders/readonly": { arn: ARN, ttl: "7200s", proxy: { port: 6_432, private: true } },
        "orders/readwrite": { arn: ARN, proxy: { socket: "/run/mayfly/orders-readwrite" } },
        "orders/reports": { arn: ARN },
      },
      secrets: {},
      files: [
        { path: "/run/mayfly/db/reports.env", from: "orders/reports", format: "env", mode: "0640" },
      ],
      secretsManager: {
        port: 2_773,
        tokenFile: "/run/mayfly/token",
        private: true,
        clientCache: "300s",
      },
      health: { port: 9_200, tokenFile: "/run/mayfly/health-token" },
      state: "/run/mayfly/state",
      ca: "/etc/db.pem",
      grace: "90s",
    });
    expect(sidecar.StopTimeout).toBe(100);
    const parsed = parseConfiguration(json, { environment: {}, readTemplate: () => "" });
    expect(parsed.logins.map(({ name, secretName }) => [name, secretName])).toEqual(
      Object.keys(json.leases as object).map((name) => [name, name]),
    );
  });

  test("files and sockets are on a volume of the task, which the application cannot write", () => {
    const here = scene();
    add(here, { leases: { db: { arn: ARN, socket: true } }, mountPath: "/vault/secrets" });
    const { task, app, sidecar } = synthesized(here);
    expect(task.Volumes).toEqual([{ Name: "mayfly" }]);
    expect(sidecar.MountPoints).toEqual([
      { SourceVolume: "mayfly", ContainerPath: "/run/mayfly", ReadOnly: false },
    ]);
    expect(app.MountPoints).toEqual([
      { SourceVolume: "mayfly", ContainerPath: "/vault/secrets", ReadOnly: true },
    ]);
    expect(sidecar.LinuxParameters).toEqual({
      Capabilities: { Drop: ["ALL"] },
      InitProcessEnabled: true,
    });
  });
});

test("ECS's init reaps what commands leave behind, unless processes are shared", () => {
  const initOf = (pidMode: PidMode | undefined): unknown => {
    const here = scene(
      (stack) =>
        new FargateTaskDefinition(stack, "Task", {
          pidMode,
          runtimePlatform: { operatingSystemFamily: OperatingSystemFamily.LINUX },
        }),
    );
    add(here);
    return (synthesized(here).sidecar.LinuxParameters as Record<string, unknown>)
      .InitProcessEnabled;
  };
  expect([undefined, PidMode.TASK].map(initOf)).toEqual([true, undefined]);
});

test("addConsumer lets the task role ask, and names the lease to the sidecar alone", () => {
  const stack = bench.stackIn(HERE);
  const here = scene(fargate, stack);
  const readonly = bench.database({ tag: "ab27" }, stack).addRole("readonly", READONLY);
  const sidecar = add(here, { leases: { "orders/readonly": {} } });
  const grant = readonly.addConsumer("shop", sidecar);
  const made = synthesized(here);
  expect(variablesOf(made.sidecar)[grant.variable]).toEqual(stack.resolve(grant.aliasArn));
  expect(made.app).not.toHaveProperty("Environment");
  expect(made.json.leases).toEqual({
    "orders/readonly": { proxy: { port: 5_432, private: true } },
  });
  const policy = ofType(resourcesOf(stack), "AWS::Lambda::ResourcePolicy");
  expect(JSON.stringify(policy)).toContain('"aws:PrincipalArn":{"Fn::GetAtt":["TaskTaskRole');
});

test("a lease without a grant is found at synthesis", () => {
  const here = scene();
  add(here, { leases: { "orders/readonly": {} } });
  expect(() => resourcesOf(here.stack)).toThrow(
    "Team/Task/mayfly has no grant of orders/readonly; pass the sidecar to the role's addConsumer, or write the lease's arn",
  );
});

test("a rotated secret is read by the task role, by its ARN", () => {
  const here = scene();
  const secret = new Secret(here.stack, "Reports");
  add(here, { leases: {}, secrets: { reports: { secret, port: 5_433 } } });
  const { sidecar } = synthesizedWithTokens(here);
  const text = JSON.stringify(variablesOf(sidecar).MAYFLY_AGENT_CONFIG);
  expect(text).toMatch(/"Fn::Join".*\{"Ref":"Reports\w+"\}/);
  const [, { Properties }] = only(resourcesOf(here.stack), "AWS::IAM::Policy", "TaskTaskRole");
  expect(Properties.PolicyDocument).toMatchObject({
    Statement: [
      {
        Action: ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        Resource: { Ref: expect.stringMatching(/^Reports/) },
      },
    ],
  });
});

function synthesizedWithTokens({ stack }: Scene): Pick<Synthesized, "app" | "sidecar"> {
  const [, { Properties }] = only(resourcesOf(stack), "AWS::ECS::TaskDefinition");
  const [app, sidecar] = Properties.ContainerDefinitions as readonly [Container, Container];
  return { app, sidecar };
}

describe("variables of the application", () => {
  test("lead to the port or the socket where somebody asks for them", () => {
    const here = scene();
    const other = here.task.addContainer("worker", { image: ContainerImage.fromRegistry("w") });
    add(here, {
      containers: [here.app, other],
      leases: {
        "orders/readonly": { arn: ARN, port: 6_432, variables: [here.app] },
        "orders/readwrite": { arn: ARN, socket: true, variables: [other] },
      },
      secretsManager: { port: 2_780, variables: [here.app] },
    });
    const [, { Properties }] = only(resourcesOf(here.stack), "AWS::ECS::TaskDefinition");
    const [app, worker] = Properties.ContainerDefinitions as readonly [Container, Container];
    const plain = { PGSSLMODE: "disable", PGGSSENCMODE: "disable" };
    expect(variablesOf(app)).toEqual({
      PGHOST: "127.0.0.1",
      PGPORT: "6432",
      PGUSER: "readonly",
      ...plain,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: "http://127.0.0.1:2780",
    });
    expect(variablesOf(worker)).toEqual({
      PGHOST: "/run/mayfly/orders-readwrite",
      PGPORT: "5432",
      PGUSER: "readwrite",
      ...plain,
    });
  });

  test("of two logins in one container are refused", () => {
    const here = scene();
    const { app } = here;
    const leases = {
      "orders/readonly": { arn: ARN, port: 1_001, variables: [app] },
      "orders/readwrite": { arn: ARN, port: 1_002, variables: [app] },
    };
    expect(() => add(here, { leases })).toThrow(
      "Team/Task/app has two values for PGHOST, one of them from addAgentSidecar (orders/readwrite)",
    );
  });
});

describe("on EC2", () => {
  test("with awsvpc it is as on Fargate, but the volume is memory and a limit is needed", () => {
    const here = scene(onEc2(NetworkMode.AWS_VPC));
    add(here, { files: [{ path: "o.env", from: "orders/readonly", format: "env" }] });
    const { task, sidecar } = synthesized(here);
    expect(sidecar.Memory).toBe(256);
    expect(task.Volumes).toEqual([
      {
        Name: "mayfly",
        DockerVolumeConfiguration: {
          Driver: "local",
          Scope: "task",
          DriverOpts: {
            type: "tmpfs",
            device: "tmpfs",
            o: "size=16m,mode=1777,nosuid,nodev,noexec",
          },
        },
      },
    ]);
  });

  test("a task for both kinds gets the volume that both have, and a limit", () => {
    const here = scene(
      (stack) =>
        new TaskDefinition(stack, "Task", {
          compatibility: Compatibility.EC2_AND_FARGATE,
          cpu: "256",
          memoryMiB: "512",
          networkMode: NetworkMode.AWS_VPC,
        }),
    );
    add(here, { leases: { db: { arn: ARN, socket: true } } });
    const { task, sidecar } = synthesized(here);
    expect(task.Volumes).toEqual([{ Name: "mayfly" }]);
    expect(sidecar.Memory).toBe(256);
  });

  test("on the host's network there is a socket in place of a port, and no variable leads elsewhere", () => {
    const here = scene(onEc2(NetworkMode.HOST));
    add(here, { leases: { "orders/readonly": { arn: ARN, variables: [here.app] } } });
    const { app, json } = synthesized(here);
    expect(json.leases).toEqual({
      "orders/readonly": { arn: ARN, proxy: { socket: "/run/mayfly/orders-readonly" } },
    });
    expect(variablesOf(app).PGHOST).toBe("/run/mayfly/orders-readonly");
  });
});

describe("is refused with the reason:", () => {
  const OWN = "each container has a 127.0.0.1 of its own, so the application does not find the";
  test.each<[string, Made, Partial<AgentSidecarProps>, string]>([
    ["a bridge", onEc2(NetworkMode.BRIDGE), {}, OWN],
    ["no network mode", (stack) => new Ec2TaskDefinition(stack, "Task"), {}, OWN],
    ["no network", onEc2(NetworkMode.NONE), {}, "the sidecar reaches neither Lambda nor"],
    [
      "a port on the machine's loopback",
      onEc2(NetworkMode.HOST),
      { leases: { db: { arn: ARN, port: 6_432 } } },
      "db has port 6432, which every program of the machine could use: the network mode is host; write socket: true",
    ],
    [
      "Secrets Manager's port there",
      onEc2(NetworkMode.HOST),
      { secretsManager: {} },
      "secretsManager is a port that every program of the machine could use: the network mode is host; write files, or socket: true",
    ],
    [
      "a port and a socket",
      fargate,
      { leases: { db: { arn: ARN, port: 1, socket: true } } },
      "db has a port, 1, and a socket; leave one of them out",
    ],
    [
      "a time of grace that ECS does not wait",
      fargate,
      { grace: Duration.seconds(111) },
      "grace must be at most 110 seconds, because ECS stops a container after 120, got 111",
    ],
    ["nothing to keep", fargate, { leases: {} }, "has neither leases nor secrets"],
    [
      "two logins on one port",
      fargate,
      { leases: { a: { arn: ARN }, b: { arn: ARN } } },
      "5432 is leases.a.proxy.port too; choose another",
    ],
    [
      "an unknown format and an unknown login",
      fargate,
      { files: [{ path: "x", from: "nobody", format: "toml" }] },
      "is no format; write one of env, json, pgpass, pg_service, jdbc, lines, ca\nfiles[0].from",
    ],
  ])("%s", (_, make, props, words) => {
    expect(() => add(scene(make), props)).toThrow(words);
  });
});

describe("what would not work, or not safely, is refused:", () => {
  const file = (path: string): Partial<AgentSidecarProps> => ({
    files: [{ path, from: "orders/readonly", format: "env" }],
  });
  const socket = (name: string): Partial<AgentSidecarProps> => ({
    leases: { [name]: { arn: ARN, socket: true } },
  });
  const wrongUser = ["0", "root", "0:0", "00:1", "nobody ; x", "1000", "1000:", ""].map(
    (user): [string, Partial<AgentSidecarProps>, string] => [
      `user ${JSON.stringify(user)}`,
      { user },
      `user ${JSON.stringify(user)} is none; write the numbers of user and group`,
    ],
  );
  const wrongFile = ["../../etc/x", "/etc/x", "a//b", "./a", "a/", "", "a/../../b"].map(
    (path): [string, Partial<AgentSidecarProps>, string] => [
      `file ${JSON.stringify(path)}`,
      file(path),
      `files[0].path, ${JSON.stringify(path)}, is no path below the volume`,
    ],
  );
  const ownFile = ["state", "state/x", "health-token", "token"].map(
    (path): [string, Partial<AgentSidecarProps>, string] => [
      `file ${path}`,
      file(path),
      `files[0].path, "${path}", is the agent's own; choose another name`,
    ],
  );
  const ownSocket = ["state", "health-token", "token"].map(
    (name): [string, Partial<AgentSidecarProps>, string] => [
      `socket ${name}`,
      socket(name),
      `the socket's folder of ${name}, "${name}", is the agent's own; choose another name`,
    ],
  );
  const wrongMount = ["run", "/", "/run/../etc", `/${"a".repeat(60)}`].map(
    (mountPath): [string, Partial<AgentSidecarProps>, string] => [
      `mount ${mountPath}`,
      { mountPath },
      `mountPath ${JSON.stringify(mountPath)} is no path of a folder`,
    ],
  );
  test.each<[string, Partial<AgentSidecarProps>, string]>([
    ...wrongUser,
    ...wrongFile,
    ...ownFile,
    ...ownSocket,
    ...wrongMount,
    ["no container", { containers: [] }, "containers is empty, so nothing waits"],
    [
      "a socket that no system has",
      socket("a".repeat(78)),
      `is too long: /run/mayfly/${"a".repeat(78)}/.s.PGSQL.5432 has 104 characters, of 103; give`,
    ],
    [
      "a socket that the application cannot name",
      { ...socket("a".repeat(40)), mountPath: `/${"m".repeat(59)}` },
      "has 115 characters, of 103",
    ],
    [
      "a file in a socket's folder",
      { ...socket("orders/readonly"), ...file("orders-readonly/x") },
      'files[0].path, "orders-readonly/x", is the socket\'s folder of orders/readonly, or in it',
    ],
  ])("%s", (_, props, words) => {
    expect(() => add(scene(), props)).toThrow(words);
  });

  test("a container of another task, and that is left as it is", () => {
    const here = scene();
    const other = scene((stack) => new FargateTaskDefinition(stack, "Other"), here.stack).app;
    expect(() => add(here, { containers: [here.app, other] })).toThrow(
      "containers has Team/Other/app, which is in another task than Team/Task; give",
    );
    expect(other.containerDependencies).toEqual([]);
    expect(() => add(here, { containers: [here.app, here.app] })).toThrow("Team/Task/app twice");
  });

  test.each<[string, (app: ContainerDefinition) => Partial<AgentSidecarProps>]>([
    ["db", (app) => ({ leases: { db: { arn: ARN, socket: true, variables: [app] } } })],
    ["secretsManager", (app) => ({ secretsManager: { variables: [app] } })],
  ])("variables of %s in a container that does not wait", (name, props) => {
    const here = scene();
    const worker = here.task.addContainer("worker", { image: ContainerImage.fromRegistry("w") });
    expect(() => add(here, props(worker))).toThrow(
      `variables of ${name} has Team/Task/worker, which does not wait for the sidecar; write it in`,
    );
  });

  test("Windows", () => {
    const windows: Made = (stack) =>
      new FargateTaskDefinition(stack, "Task", {
        cpu: 1_024,
        memoryLimitMiB: 2_048,
        runtimePlatform: {
          operatingSystemFamily: OperatingSystemFamily.WINDOWS_SERVER_2022_CORE,
          cpuArchitecture: CpuArchitecture.X86_64,
        },
      });
    expect(() => add(scene(windows))).toThrow(
      "Team/Task runs on Windows, and the agent is for Linux; leave it out",
    );
  });

  test("all at once", () => {
    let words = "";
    try {
      add(scene(), { user: "0", mountPath: "run", ...file("../x"), healthPort: 70_000 });
    } catch (error) {
      words = (error as Error).message;
    }
    expect(words.split("\n")).toEqual([
      expect.stringMatching(/^user "0"/),
      expect.stringMatching(/^files\[0\]\.path/),
      expect.stringMatching(/^mountPath/),
      "the agent would refuse its configuration:",
      expect.stringMatching(/^health\.port/),
    ]);
  });
});

describe("what a container beside it has too is found at the synthesis:", () => {
  test("ports of a second sidecar", () => {
    const here = scene();
    add(here);
    add(here, { containerName: "second" });
    expect(() => resourcesOf(here.stack)).toThrow(
      /Task\/mayfly listens on port 5432, which is one of Team\/Task\/second too.*port 9127/s,
    );
    const apart = scene();
    add(apart);
    const leases = { "orders/readonly": { arn: ARN, port: 5_433 } };
    add(apart, { containerName: "second", healthPort: 9_128, leases });
    expect(() => resourcesOf(apart.stack)).not.toThrow();
  });

  test.each([
    [{ containerPort: 5_432 }, 5_432],
    [{ containerPort: 9_127 }, 9_127],
    [
      {
        containerPort: ContainerDefinition.CONTAINER_PORT_USE_RANGE,
        containerPortRange: "9000-9200",
      },
      9_127,
    ],
    [{ containerPort: 2_773, protocol: Protocol.TCP }, 2_773],
  ])("a port of the application: %o", (mapping, port) => {
    const here = scene();
    add(here, { leases: { db: { arn: ARN, port: 5_432 } }, secretsManager: {} });
    here.app.addPortMappings(mapping);
    expect(() => resourcesOf(here.stack)).toThrow(
      `Team/Task/mayfly listens on port ${port}, which is one of Team/Task/app too; choose another`,
    );
  });

  test("but not a port of UDP, nor another", () => {
    const here = scene();
    here.app.addPortMappings({ containerPort: 5_432, protocol: Protocol.UDP });
    here.app.addPortMappings({ containerPort: 8_080 });
    add(here);
    expect(() => resourcesOf(here.stack)).not.toThrow();
  });

  test.each(["/run/mayfly", "/run/mayfly/", "/run/mayfly/x"])("a mount at %s", (containerPath) => {
    const here = scene();
    add(here, { leases: { db: { arn: ARN, socket: true } } });
    here.task.addVolume({ name: "mine" });
    here.app.addMountPoints({ sourceVolume: "mine", containerPath, readOnly: false });
    expect(() => resourcesOf(here.stack)).toThrow(
      "Team/Task/app has something else at /run/mayfly, where it would see the volume of Team/Task/mayfly; choose another mountPath",
    );
  });
});

test("essential, memory, CPU, log and name are the user's if given", () => {
  const here = scene();
  add(here, {
    essential: true,
    memoryLimitMiB: 192,
    cpu: 32,
    containerName: "agent",
    user: "1000:1000",
    healthCheckInterval: Duration.seconds(7),
    logging: LogDrivers.fluentd(),
  });
  expect(synthesized(here).sidecar).toMatchObject({
    Name: "agent",
    Essential: true,
    Memory: 192,
    Cpu: 32,
    User: "1000:1000",
    HealthCheck: { Interval: 7 },
    LogConfiguration: { LogDriver: "fluentd" },
  });
  expect(ofType(resourcesOf(here.stack), "AWS::Logs::LogGroup")).toEqual([]);
});
