import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";
import { blocksOf, pages, root } from "../support/pages.ts";

test("every TypeScript snippet compiles", () => {
  const { path: folder, remove } = tempFolder("snippets", join(root, "test"));
  try {
    const files = pages.flatMap((page) =>
      blocksOf(page)
        .filter(({ language }) => language === "ts")
        .map(({ text }, index) => {
          const name = `${page.replaceAll(/[^a-zA-Z0-9]/g, "-")}-${index + 1}.ts`;
          // a snippet's imports are relative to the root of the project
          const placed = text.replaceAll(/(from|import\() ?"\.\//g, '$1 "../../');
          writeFileSync(join(folder, name), placed);
          return name;
        }),
    );
    expect(files.length).toBeGreaterThan(3);
    const config = { extends: "../../tsconfig.json", files, include: [] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const compile = () =>
      execFileSync(process.execPath, [tsc, "--singleThreaded", "-p", folder], {
        encoding: "utf8",
        stdio: "pipe",
      });
    expect(outputOf(compile)).toBe("");
  } finally {
    remove();
  }
});

function outputOf(run: () => string): string {
  try {
    return run();
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout ?? error);
  }
}
