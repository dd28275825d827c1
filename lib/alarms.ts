import { Alarm, ComparisonOperator, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { type AlarmRule, alarmRules } from "./alarm-rules.ts";
import type { Watched } from "./watched.ts";

/** Properties of Alarms. */
export interface AlarmsProps {
  /** Is told when an alarm begins and when it is over. In the stack's Region. */
  readonly topic: ITopic;
}

/** One alarm for each promise that may break; its description names its runbook. */
export class Alarms extends Construct {
  readonly all: readonly Alarm[];
  readonly #watched: Watched;

  /** Made by `DynamicDatabase.addAlarms`. */
  constructor(scope: Construct, id: string, { topic }: AlarmsProps, watched: Watched) {
    super(scope, id);
    this.#watched = watched;
    const action = new SnsAction(topic);
    this.all = alarmRules(watched).map((rule) => {
      const alarm = this.#make(rule);
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
      return alarm;
    });
  }

  #make({ name, says, metric, above, periods = 1, silence = "fine" }: AlarmRule): Alarm {
    const { database, nameOf } = this.#watched;
    return new Alarm(this, name, {
      alarmName: nameOf(name),
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
