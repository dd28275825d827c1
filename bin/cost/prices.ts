import { METRICS } from "../../core/metric.ts";

/** Where the prices come from, each with the page of AWS's where it can be checked. */
export const SOURCES = [
  "list prices of us-east-1 for 730 hours, before free tiers; not a bill. Read on 2026-11-21, those",
  "of RDS on 2026-11-24 as infratally.com/articles/aws-rds-pricing-explained-2026.html and",
  "usage.ai/blogs/aws/reserved-instances/rds/pricing-calculator quote them. Check them before a",
  "decision, at aws.amazon.com/<service>/pricing: secrets-manager, privatelink, rds/postgresql,",
  "cloudwatch, sqs, eventbridge, lambda",
];

const HOURS = 730;

/** A quantity of something, and the price of each. Unit: US dollars a month. */
export interface Piece {
  readonly name: string;
  readonly quantity: number;
  readonly each: number;
}

/** The price of a resource: by the month, by use, or both. It is free if both are missing. */
export interface Price {
  readonly pieces?: readonly Piece[];
  readonly use?: string;
}

type Properties = Readonly<Record<string, unknown>>;

const FREE = [
  "AWS::CDK::Metadata",
  "AWS::CloudFormation::Stack",
  "AWS::EC2::RouteTable",
  "AWS::EC2::SecurityGroup",
  "AWS::EC2::SecurityGroupEgress",
  "AWS::EC2::SecurityGroupIngress",
  "AWS::EC2::Subnet",
  "AWS::EC2::SubnetRouteTableAssociation",
  "AWS::EC2::VPC",
  "AWS::IAM::ManagedPolicy",
  "AWS::IAM::Policy",
  "AWS::IAM::Role",
  "AWS::Lambda::Alias",
  "AWS::Lambda::EventInvokeConfig",
  "AWS::Lambda::Permission",
  "AWS::Lambda::ResourcePolicy",
  "AWS::Lambda::Version",
  "AWS::Logs::QueryDefinition",
  "AWS::RDS::DBParameterGroup",
  "AWS::RDS::DBSubnetGroup",
  "AWS::SQS::QueuePolicy",
  "AWS::Scheduler::ScheduleGroup",
  "AWS::SecretsManager::ResourcePolicy",
  "AWS::SecretsManager::SecretTargetAttachment",
  "Custom::MayflySandboxSeed",
];

const BY_USE: Readonly<Record<string, string>> = {
  "AWS::Lambda::Function":
    "functions: a call per issue and renewal, one for 1 to 100 schedules, and 288 sweeps a day",
  "AWS::Scheduler::Schedule": "schedules: 14 million invocations free, then $1.00 per million",
  "AWS::Logs::LogGroup": "logs: what is written, and what queries scan; the first 5 GB are free",
  "AWS::Logs::SubscriptionFilter": "logs that are sent on: by where they go",
  "AWS::Events::EventBus": "events: $1.00 per million of your own",
  "AWS::SQS::Queue": "queues: $0.40 per million requests, of which a schedule takes one to three",
};

/** PostgreSQL in one zone, on demand. */
const INSTANCES: Readonly<Record<string, number>> = { "db.t4g.micro": 0.016 * HOURS };
/** Pollers with which Lambda reads a queue, also when the queue is empty. */
const POLLERS = 5;
const SWEPT_METRICS = 8;
/** One metric for each secret: `SecretAgeSeconds`. */
const SECRET_METRICS = 1;

const METERED: Readonly<Record<string, (properties: Properties) => Price | undefined>> = {
  "AWS::SecretsManager::Secret": () => ({
    pieces: [{ name: "secrets", quantity: 1, each: 0.4 }],
    use: "secrets: $0.05 per 10,000 reads, of which a function instance makes a few",
  }),
  "AWS::EC2::VPCEndpoint": ({ VpcEndpointType, SubnetIds }) => {
    if (VpcEndpointType !== "Interface") return {};
    const quantity = Array.isArray(SubnetIds) ? SubnetIds.length : 1;
    return {
      pieces: [{ name: "interface endpoints, per zone", quantity, each: 0.01 * HOURS }],
      use: "endpoints: $0.01 per GB that goes through",
    };
  },
  "AWS::RDS::DBInstance": ({ DBInstanceClass, Engine, MultiAZ, StorageType, AllocatedStorage }) => {
    const name = String(DBInstanceClass);
    const each = INSTANCES[name];
    const inOneZone = MultiAZ === undefined || MultiAZ === false;
    if (each === undefined || Engine !== "postgres" || !inOneZone || StorageType !== "gp3")
      return undefined;
    return {
      pieces: [
        { name: `RDS PostgreSQL, ${name}`, quantity: 1, each },
        { name: "GB of gp3 storage", quantity: Number(AllocatedStorage), each: 0.115 },
      ],
    };
  },
  "AWS::CloudWatch::Alarm": ({ Metrics }) => {
    const watched = Array.isArray(Metrics) ? Metrics.filter((each) => "MetricStat" in each) : [1];
    return { pieces: [{ name: "metrics in alarms", quantity: watched.length, each: 0.1 }] };
  },
  "AWS::CloudWatch::Dashboard": () => ({
    pieces: [{ name: "dashboards", quantity: 1, each: 3 }],
  }),
  // a stack measures every secret that it rotates
  "AWS::SecretsManager::RotationSchedule": () => ({
    pieces: [{ name: "metrics of rotated secrets", quantity: 1, each: 0.3 }],
    use: "rotations: a call of a function for each of four steps",
  }),
  // Lambda polls also an empty queue: each poller asks three times a minute
  "AWS::Lambda::EventSourceMapping": () => ({
    pieces: [{ name: "pollers of queues", quantity: POLLERS, each: (180 * HOURS * 0.4) / 1e6 }],
  }),
  // every database that is provisioned is swept
  "Custom::MayflyProvision": () => ({
    pieces: [{ name: "metrics of the sweep", quantity: SWEPT_METRICS, each: 0.3 }],
    use: `metrics: $0.30 for each of ${METRICS.length - SWEPT_METRICS - SECRET_METRICS} more, in a month that writes it`,
  }),
};

/** What one resource costs; `undefined` if its price is not known here. */
export function priceOf(type: string, properties: Properties): Price | undefined {
  if (FREE.includes(type)) return {};
  const use = BY_USE[type];
  return use === undefined ? METERED[type]?.(properties) : { use };
}
