import { expect, test } from "vitest";
import { InvalidRequestError } from "../../core/errors.ts";
import { parseRotationRequest } from "../../core/rotation/rotation-request.ts";

const SecretId = "arn:x";
const Step = "setSecret";
const ClientRequestToken = "11111111-1111-4111-8111-111111111111";

test.each<[object, string]>([
  [
    {},
    "SecretId undefined is not the ARN of a secret; let Secrets Manager call the function: aws secretsmanager rotate-secret",
  ],
  [
    { SecretId, Step: "deleteSecret" },
    'secret arn:x: Step "deleteSecret" is not one of createSecret, setSecret, testSecret, finishSecret',
  ],
  [
    { SecretId, Step, ClientRequestToken: "1" },
    'secret arn:x: ClientRequestToken "1" is not the id of a version, 32 to 64 characters',
  ],
  [
    { SecretId, Step, ClientRequestToken, RotationToken: "secret" },
    "secret arn:x: RotationToken is not 36 to 256 letters, digits and hyphens",
  ],
])("a rotation event is refused with the field and its value: %j", (event, message) => {
  expect(() => parseRotationRequest(event)).toThrow(new InvalidRequestError(message));
});
