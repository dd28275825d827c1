import { Alarm, ComparisonOperator, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { type AlarmRule, alarmRules, rotationRules } from "./alarm-rules.ts";
import type { Watched } from "./watched.ts";

/** Properties of Alarms. */
export interface AlarmsProps {
  /** Is told when an alarm begins and when it is over. In the stack's Region. */
  readonly topic: ITopic;
}

/** One alarm for each promise that may break; its description names its runbook. */
export class Alarms extends Construct {
  readonly #all: Alarm[] = [];
  readonly #watched: Watched;

  /** Made by `DynamicDatabase.addAlarms`. */
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

  /** Those of secrets that are added later are here later. */
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
