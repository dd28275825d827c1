// a bundle then has these of the SDK alone: of a package that is imported when used, it keeps all
export { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
