import { compileTemplate } from "../../../../client/agent/files/template.ts";
import {
  templateOf,
  translateTemplate,
} from "../../../../client/kubernetes/vault/translate-template.ts";
import { Secret } from "../../../../core/secret.ts";
import { madeUpLogin } from "../../../support/file-outlet.ts";

/** What Go makes of a template. Null: it does not take it. */
export interface GoOutcome {
  readonly template: string;
  readonly output: string | null;
}

/** The values that Go was given. */
const loginOf = (path: string) => ({
  ...madeUpLogin(1),
  username: `user of ${path}`,
  password: new Secret(`p"'<&\\{{}} of ${path}`),
});

/** What the agent writes of a translated template. Undefined: it was refused. */
export function written(template: string): string | undefined {
  const { parts, problems } = translateTemplate(template, { left: "{{", right: "}}" });
  if (problems.length > 0) return undefined;
  // a path is no login's name, but the agent's templates take any
  const { from, template: text } = templateOf(parts, (path) => path);
  const render = compileTemplate({ kind: "template", text, source: "file" }, from);
  return render(from.map((name) => ({ name, login: loginOf(name) })));
}

/** How the agent's file differs from Go's, in words. @param isTranslatable it must not be refused */
export function problemOf(
  { template, output }: GoOutcome,
  isTranslatable: boolean,
): string | undefined {
  const ours = written(template);
  const shown = JSON.stringify(template);
  if (ours === undefined) return isTranslatable ? `refused: ${shown}` : undefined;
  if (output === null) return `taken, though Go does not: ${shown}`;
  return ours === output
    ? undefined
    : `${shown}\nGo:   ${JSON.stringify(output)}\nours: ${JSON.stringify(ours)}`;
}
