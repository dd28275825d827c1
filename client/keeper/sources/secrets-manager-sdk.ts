// as for Lambda, only what is used
export { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
