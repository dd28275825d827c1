import { expect, test } from "vitest";
import { lineWriter } from "../../../bin/proxy/log-events.ts";
import { type LogEvent, lineOf } from "../../../bin/proxy/proxy-log.ts";
import { milliseconds, minutes } from "../../../core/time.ts";

const refused = (sqlstate: string): LogEvent => ({
  kind: "client-refused",
  sqlstate,
  message: `no ${Math.random()}`,
});

test("of refusals that repeat there is a line a minute, with how many more there were", () => {
  const lines: string[] = [];
  let now = milliseconds(0);
  const log = { write: (line: string) => lines.push(line), asJson: false, withInfo: true };
  const write = lineWriter(log, { monotonic: () => now });
  const tell = (event: LogEvent): void => write(event.kind, lineOf(event));
  for (let at = 0; at < 10_000; at++) tell(refused("28P01"));
  tell(refused("53300"));
  expect(lines).toHaveLength(2);
  now = minutes(1);
  tell(refused("28P01"));
  expect(lines[2]).toMatch(/^mayfly: refused a client .*; 9999 more like it since the last line$/);
  now = minutes(3);
  tell(refused("28P01"));
  expect(lines[3]).not.toContain("more like it");
});

test("what no stranger can cause is always told", () => {
  const lines: string[] = [];
  const log = { write: (line: string) => lines.push(line), asJson: true, withInfo: true };
  const write = lineWriter(log, { monotonic: () => milliseconds(0) });
  const failed: LogEvent = { kind: "file-failed", path: "/run/a", message: "the disk is full" };
  for (let at = 0; at < 3; at++) write(failed.kind, lineOf(failed));
  expect(lines).toHaveLength(3);
});
