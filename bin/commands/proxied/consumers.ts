import { PATIENT } from "../../aws/clients.ts";
import { Exit, Failure } from "../../terminal/exit.ts";

/**
 * The consumers with a grant of a role: each has an alias of the issuer.
 *
 * @param issuer ARN or name of the function.
 * @throws Failure if the caller may not list aliases.
 */
export async function consumersOf(issuer: string, role: string): Promise<readonly string[]> {
  const { LambdaClient, paginateListAliases } = await import("../../aws/lambda-sdk.ts");
  const pages = paginateListAliases(
    { client: new LambdaClient(PATIENT) },
    { FunctionName: issuer },
  );
  const suffix = `--${role}`;
  const consumers: string[] = [];
  try {
    for await (const { Aliases = [] } of pages)
      for (const { Name = "" } of Aliases)
        if (Name.endsWith(suffix)) consumers.push(Name.slice(0, -suffix.length));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "AccessDeniedException") throw error;
    throw new Failure(
      Exit.notAllowed,
      "who has a grant may not be read (lambda:ListAliases); name the consumer with --consumer",
      { cause: error },
    );
  }
  return consumers;
}
