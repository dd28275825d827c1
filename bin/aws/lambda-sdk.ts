// what programs use of it, and they load no more: of a package that is imported when used, a bundle
// keeps all
export {
  AddPermissionCommand,
  GetEventSourceMappingCommand,
  GetFunctionConfigurationCommand,
  GetPolicyCommand,
  GetResourcePolicyCommand,
  InvokeCommand,
  LambdaClient,
  paginateListAliases,
  RemovePermissionCommand,
} from "@aws-sdk/client-lambda";
