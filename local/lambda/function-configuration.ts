import type { FunctionConfiguration } from "@aws-sdk/client-lambda";
import type { Target } from "./lambda-functions.ts";

/** A function or one of its versions, as Lambda describes it. Here it is ready at once. */
export function configurationOf({ lambda, version, arn }: Target): FunctionConfiguration {
  const { role, environment, settings, logGroup } = lambda.states.get(version) ?? lambda;
  return {
    FunctionName: lambda.name,
    FunctionArn: arn,
    Version: version,
    Role: role.arn,
    ...settings,
    PackageType: "Zip",
    State: "Active",
    LastUpdateStatus: "Successful",
    LoggingConfig: { LogGroup: logGroup },
    ...(Object.keys(environment).length > 0 && { Environment: { Variables: environment } }),
  };
}
