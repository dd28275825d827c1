import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ownFiles } from "../../../bin/proxy/own-files.ts";
import { newFolder } from "../../support/file-outlet.ts";

let folder: string;
beforeEach(() => {
  folder = newFolder();
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);

test("a file of somebody else is refused, and nothing is changed", () => {
  writeFileSync(at("pgpass"), "mine");
  symlinkSync("pgpass", at("link"));
  for (const name of ["pgpass", "link"])
    expect(() => ownFiles([at("new"), at(name)])).toThrow(
      `${at(name).slice(-60)} is there already, and exec removes its files at the end; give a path where nothing is`,
    );
  expect(() => ownFiles(["/dev/null"])).toThrow("/dev/null is there already");
  expect(readdirSync(folder).toSorted()).toEqual(["link", "pgpass"]);
  expect(readFileSync(at("pgpass"), "utf8")).toBe("mine");
});

test("what a killed program left is its own, until the next one ends", () => {
  ownFiles([at("env")]); // killed
  writeFileSync(at("env"), "of a lease");
  {
    using _ = ownFiles([at("env")]);
    rmSync(at("env"));
  }
  expect(readdirSync(folder)).toEqual([]);
  writeFileSync(at("env"), "mine");
  expect(() => ownFiles([at("env")])).toThrow("is there already");
});

test("a folder that is not there is left to the writing, which says so", () => {
  using _ = ownFiles([at("none/env")]);
  expect(readdirSync(folder)).toEqual([]);
});
