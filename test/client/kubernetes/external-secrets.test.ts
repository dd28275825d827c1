import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { inject } from "../../../client/kubernetes/inject.ts";
import { podResourcesIn, wrongValues } from "../../support/kubernetes-schema.ts";
import { root } from "../../support/pages.ts";

const read = (name: string): string =>
  readFileSync(join(root, "examples/external-secrets", name), "utf8");

interface Values {
  readonly controllerClass: string;
  readonly podAnnotations: Readonly<Record<string, string>>;
  readonly extraEnv: readonly { readonly name: string; readonly value: string }[];
}

interface Spec {
  readonly template?: {
    readonly spec: {
      readonly initContainers: readonly { readonly env: Values["extraEnv"] }[];
    };
  };
}

test("the example of External Secrets: its controller gets the agent, and reads the lease that the store's secret names", async () => {
  const { controllerClass, podAnnotations, extraEnv } = parse(read("values.yaml")) as Values;
  // where the chart puts these values
  const controller = stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "external-secrets", namespace: "external-secrets" },
    spec: {
      selector: { matchLabels: { app: "external-secrets" } },
      template: {
        metadata: { labels: { app: "external-secrets" }, annotations: podAnnotations },
        spec: {
          serviceAccountName: "external-secrets",
          hostNetwork: false,
          containers: [
            {
              name: "external-secrets",
              image: "external-secrets",
              args: [`--controller-class=${controllerClass}`, "--metrics-addr=:8080"],
              ports: [{ containerPort: 8080, protocol: "TCP", name: "metrics" }],
              env: extraEnv,
            },
          ],
        },
      },
    },
  });
  const { text } = await inject(controller, { file: "stdin", image: "agent" });
  const resources = podResourcesIn(text);
  expect(wrongValues(resources)).toEqual([]);
  const spec = (resources[0]?.spec ?? {}) as Spec;
  const agent = JSON.parse(spec.template?.spec.initContainers[0]?.env[0]?.value ?? "") as {
    readonly leases: object;
    readonly secretsManager: { readonly port: number };
  };
  expect(agent.secretsManager).toMatchObject({ port: 2773, private: true });
  expect(extraEnv).toEqual([
    {
      name: "AWS_SECRETSMANAGER_ENDPOINT",
      value: `http://127.0.0.1:${agent.secretsManager.port}/`,
    },
  ]);
  const [store, secret] = parseAllDocuments(read("external-secret.yaml")).map(
    (document) => document.toJS() as { readonly spec: Readonly<Record<string, unknown>> },
  );
  expect(store?.spec.controller).toBe(controllerClass);
  const key = Object.keys(agent.leases)[0];
  expect(secret?.spec.dataFrom).toEqual([{ extract: { key } }]);
});
