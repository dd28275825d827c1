import { Alarm, ComparisonOperator, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { type AlarmRule, alarmRules, rotationRules } from "./alarm-rules.ts";
import type { Watched } from "./watched.ts";

/** Properties of Alarms. */
export interface AlarmsProps {
  /** The topic to notify when an alarm begins and when it ends. In the stack's Region. */
  readonly topic: ITopic;
}

/** The alarms of one database. The description of each names its runbook. */
export class Alarms extends Construct {
  readonly #all: Alarm[] = [];
  readonly #watched: Watched;

  /** Created by `DynamicDatabase.addAlarms`. */
  constructor(scope: Construct, id: string, { topic }: AlarmsProps, watched: Watched) {
    super(scope, id);
    this.#watched = watched;
    const action = new SnsAction(topic);
    const add = (rule: AlarmRule): void => {
      const alarm = this.#make(rule);
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
      this.#all.push(alarm);
    };
    alarmRules(watched).forEach(add);
    watched.eachRotated((one) => rotationRules(watched, one).forEach(add));
  }

  /** Every alarm so far. Each secret that is added later adds its alarms. */
  get all(): readonly Alarm[] {
    return this.#all;
  }

  #make({ name, of, says, metric, above, periods = 1, silence = "fine" }: AlarmRule): Alarm {
    const { database, nameOf } = this.#watched;
    const own = of === undefined ? name : `${name}-${of}`;
    return new Alarm(this, own, {
      alarmName: nameOf(own),
      alarmDescription: `Mayfly, ${database}: ${says}. Runbook: docs/runbooks/${name}.md`,
      metric,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData:
        silence === "fine" ? TreatMissingData.NOT_BREACHING : TreatMissingData.BREACHING,
    });
  }
}
