import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decideRestart } from "../../../bin/start/node-flags.ts";
import { inject } from "../../../client/kubernetes/inject.ts";
import { podResourcesIn } from "../../support/kubernetes-schema.ts";
import { root } from "../../support/pages.ts";

interface Agent {
  readonly command: readonly string[];
}

const IMAGE = "registry.example.com/mayfly-agent:1";
const ARN = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--readonly";

const PLAIN = `# the shop's front
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # aligned
spec:
  template:
    metadata:
      annotations:
        mayfly/inject: "true"
        mayfly/lease-orders: ${ARN}
        mayfly/proxy-orders: "5432"
    spec:
      containers:
      - name: app
        image: 'web:1'
        volumeMounts: [ { name: data, mountPath: /data } ]
      volumes:
      - name: data
        secret: { secretName: data, defaultMode: 0400 }
`;

const injected = (text: string) => inject(text, { file: "deploy.yaml", image: IMAGE });

test("lines are added, and none is changed", async () => {
  const { text, messages } = await injected(PLAIN);
  const lines = text.split("\n");
  expect(PLAIN.split("\n").filter((line) => !lines.includes(line))).toEqual([]);
  expect(messages).toEqual([]);
  expect(text).toMatch(/^ {6}initContainers:\n {6}- name: mayfly-agent\n/m);
});

test("twice injected is once injected", async () => {
  const once = await injected(PLAIN);
  expect((await injected(once.text)).text).toBe(once.text);
});

test("the agent runs as its image runs it, and need not start itself again", async () => {
  const { text } = await injected(PLAIN);
  const [deployment] = podResourcesIn(text) as readonly unknown[] as readonly {
    readonly spec: {
      readonly template: { readonly spec: { readonly initContainers: readonly Agent[] } };
    };
  }[];
  const [agent] = deployment?.spec.template.spec.initContainers ?? [];
  const dockerfile = readFileSync(join(root, "packaging/agent/Dockerfile"), "utf8");
  const [, entryPoint = ""] = /^ENTRYPOINT (.*)$/m.exec(dockerfile) ?? [];
  expect(agent?.command).toEqual(JSON.parse(entryPoint));
  const started = { command: "agent", execArgv: agent?.command.slice(1, -1) ?? [], env: {} };
  expect(decideRestart({ ...started, node: "24.0.0" })).toBeUndefined();
  expect(decideRestart({ ...started, execArgv: [], node: "24.0.0" })).toBeDefined();
});
