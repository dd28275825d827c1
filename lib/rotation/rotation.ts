import { ArnFormat, Duration, Stack, Token } from "aws-cdk-lib";
import { CfnPermission } from "aws-cdk-lib/aws-lambda";
import { CfnRotationSchedule, type ISecret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct, type IDependable } from "constructs";
import type { RotationTimes } from "../../core/rotation/schedule.ts";
import type { RotationSettings } from "../../core/rotation/settings.ts";
import { portText, ReaderAccess } from "../database/reader-access.ts";
import { arnOf, grantKey, secretIdOf } from "../database/secret-access.ts";
import { bundleFolder, FunctionCode } from "../functions/function-code.ts";
import type { FunctionNetwork } from "../functions/function-network.ts";
import { MayflyFunction } from "../functions/mayfly-function.ts";

/** Seconds. RDS may need minutes to set a master's password. */
const TIMEOUT = 60;
const TIMEOUT_OF_MASTER = 300;

/**
 * The server of a rotated secret: its address, and the network from which the function reaches it.
 */
export interface RotationServer {
  /** Folder of the bundles. */
  readonly assets: string;
  readonly network: FunctionNetwork;
  readonly host: string;
  readonly port: number;
  /** Other addresses that a secret may name, as `DB_READERS`. */
  readonly readerHosts?: string | undefined;
  readonly instanceIdentifier?: string | undefined;
  readonly clusterIdentifier?: string | undefined;
}

/** Properties of a Rotation. */
export interface RotationProps {
  readonly settings: RotationSettings;
  readonly secret: ISecret;
  /** For `alternating-users`: the secret of the login that sets the passwords. */
  readonly adminSecret?: ISecret | undefined;
  readonly times: RotationTimes;
  readonly server: RotationServer;
  readonly functionName?: string | undefined;
  /** @default true */
  readonly rotateImmediately?: boolean | undefined;
  readonly sourceArn?: boolean | undefined;
}

/** A function that rotates one secret, and the schedule by which Secrets Manager calls it. */
export class Rotation extends Construct {
  readonly rotator: MayflyFunction;
  readonly #schedule: CfnRotationSchedule;

  constructor(scope: Construct, id: string, props: RotationProps) {
    super(scope, id);
    const { settings, secret, times, server } = props;
    this.rotator = this.#makeRotator(props);
    this.#allow(props);
    const { lambda } = this.rotator;
    const permission = new CfnPermission(this, "Permission", {
      action: "lambda:InvokeFunction",
      functionName: lambda.functionArn,
      principal: "secretsmanager.amazonaws.com",
      sourceAccount: Stack.of(this).account,
      ...(props.sourceArn === true && { sourceArn: secret.secretArn }),
    });
    this.#schedule = new CfnRotationSchedule(this, "Schedule", {
      secretId: secret.secretArn,
      rotationLambdaArn: lambda.functionArn,
      rotateImmediatelyOnUpdate: props.rotateImmediately ?? true,
      rotationRules: {
        scheduleExpression: times.expression,
        ...(times.window !== undefined && { duration: times.window }),
      },
    });
    // the first rotation comes with the schedule
    this.after(permission, server.network.securityGroup);
    if (Token.isUnresolved(JSON.stringify(settings)))
      throw new Error(
        `${this.node.path}: names of users and roles, queries and roots must be known when the app is synthesized; write them out`,
      );
  }

  /** Create these before the rotation starts, and delete them after it stops. */
  after(...dependencies: IDependable[]): void {
    this.#schedule.node.addDependency(...dependencies);
  }

  #makeRotator({ settings, secret, adminSecret, server, functionName }: RotationProps) {
    const { strategy, database, secret: name } = settings;
    const { instanceIdentifier, clusterIdentifier } = server;
    const code = new FunctionCode(bundleFolder(server.assets, "rotator"));
    const master = strategy === "master-user";
    const rotator = new MayflyFunction(this, "Rotator", {
      ...(functionName !== undefined && { functionName }),
      description: `Mayfly: rotates the secret ${name} of ${database}`,
      code,
      network: server.network,
      timeout: Duration.seconds(master ? TIMEOUT_OF_MASTER : TIMEOUT),
      environment: {
        DB_HOST: server.host,
        DB_PORT: portText(server.port),
        ...(server.readerHosts !== undefined && { DB_READERS: server.readerHosts }),
        SECRET_ARN: secret.secretArn,
        ...(adminSecret !== undefined && { MASTER_SECRET_ARN: secretIdOf(adminSecret) }),
        ...(clusterIdentifier !== undefined && { DB_CLUSTER: clusterIdentifier }),
        ...(instanceIdentifier !== undefined && { DB_INSTANCE: instanceIdentifier }),
      },
    });
    code.complete(rotator, { "rotation.json": settings });
    return rotator;
  }

  #allow({ settings, secret, adminSecret, server }: RotationProps): void {
    const { rotator } = this;
    const on = (...words: string[]): string[] => words.map((word) => `secretsmanager:${word}`);
    const rotate = [
      "DescribeSecret",
      "GetSecretValue",
      "PutSecretValue",
      "UpdateSecretVersionStage",
    ];
    rotator.allow("RotateSecret", on(...rotate), [arnOf(secret)]);
    grantKey(this, rotator.lambda, secret, ["kms:Decrypt", "kms:GenerateDataKey"]);
    if (adminSecret !== undefined) {
      const read = on("GetSecretValue", "DescribeSecret");
      rotator.allow("ReadAdministrator", read, [arnOf(adminSecret)]);
      grantKey(this, rotator.lambda, adminSecret, ["kms:Decrypt"]);
    }
    if (settings.strategy === "master-user") this.#allowMaster(server);
    // a secret may name a replica as its host; RDS knows which instance it replicates
    else if (settings.strategy !== "issuer-login")
      new ReaderAccess(server, {
        connections: server.network.securityGroup,
        port: server.port,
      }).allowList(rotator);
  }

  #allowMaster({ instanceIdentifier, clusterIdentifier }: RotationServer): void {
    const [kind, resource, resourceName] =
      clusterIdentifier === undefined
        ? (["Instance", "db", instanceIdentifier] as const)
        : (["Cluster", "cluster", clusterIdentifier] as const);
    const arn = Stack.of(this).formatArn({
      service: "rds",
      resource,
      resourceName: resourceName ?? "",
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    const actions = [`rds:ModifyDB${kind}`, `rds:DescribeDB${kind}s`];
    this.rotator.allow("SetMasterPassword", actions, [arn]);
  }
}
