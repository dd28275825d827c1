import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type TempFolder, tempFolder } from "../../../local/temp-folder.ts";
import { eventually } from "../../support/eventually.ts";
import { RunningProgram } from "../client.ts";
import { MissingTool } from "../kits.ts";
import { Stage } from "../stage.ts";
import { filesOf, withLifetime, writeFiles } from "./page-files.ts";
import { LANGUAGES, type Language, repeats } from "./programs.ts";

/*
 * The programs of docs/languages, as they stand there, through the proxy while a lease is replaced
 * and all are revoked: `npm run test:snippets [-- PAGE...]`. Exit status: 0 when none failed but at
 * the revocation, each worked after it, and those that retry saw nothing at all; 1 otherwise.
 */

const root = join(import.meta.dirname, "..", "..", "..");

/** Less than the overlap of leases that live for 90 seconds. HikariCP takes no less. */
const LIFETIME_SECONDS = 30;

const ENVIRONMENT = {
  LIFETIME_SECONDS: String(LIFETIME_SECONDS),
  CHECK_ON_BORROW: "1",
  WORKERS: "2",
  MIN_PAUSE_SECONDS: "0",
  MAX_PAUSE_SECONDS: "0.2",
  PYTHONDONTWRITEBYTECODE: "1",
};

/** A program of a page that runs. */
interface Running {
  readonly name: string;
  readonly mayFail: boolean;
  /** It ends when there is one. */
  readonly endFile: string;
  readonly client: RunningProgram;
}

interface Prepared {
  readonly language: Language;
  readonly folder: TempFolder;
}

/** Write the files of each page, and compile them. Says what is missing. */
function prepared(languages: readonly Language[]): readonly Prepared[] {
  return languages.flatMap((language) => {
    const folder = tempFolder("snippets", join(root, "test"));
    const files = filesOf(language.page).map((file) => withLifetime(file, LIFETIME_SECONDS));
    writeFiles(folder.path, files);
    try {
      language.prepare(folder.path);
      return [{ language, folder }];
    } catch (error) {
      folder.remove();
      if (!(error instanceof MissingTool)) throw error;
      const programs = language.programs.join(", ");
      console.log(`${language.page} without ${programs}: ${language.needs}; ${error.message}`);
      return [];
    }
  });
}

function start(stage: Stage, { language, folder }: Prepared): readonly Running[] {
  const endFile = join(folder.path, "end");
  const env = {
    ...process.env,
    ...stage.environmentOf({}),
    ...ENVIRONMENT,
    ...language.env?.(folder.path),
    SNIPPETS: folder.path,
    END_FILE: endFile,
  };
  return language.programs.map((program) => ({
    name: `${language.page} ${program}`,
    mayFail: !repeats(program),
    endFile,
    client: new RunningProgram(language.command(program, folder.path), env),
  }));
}

/** @throws Error with the programs that say nothing. */
async function waitUntilReady(running: readonly Running[]): Promise<void> {
  const isFine = ({ client }: Running): boolean => client.isReady || client.failed.length > 0;
  try {
    await eventually(() => running.every(isFine), { within: 240_000 });
  } catch (cause) {
    const silent = running.filter((each) => !isFine(each)).map(({ name }) => name);
    throw new Error(`nothing is heard of ${silent.join(", ")}`, { cause });
  }
}

/** What is wrong with a program that ran. */
function faultsOf({ name, mayFail, client }: Running, before: number): readonly string[] {
  const during = client.failed.slice(0, before).map((words) => `${name}: ${words}`);
  const after = client.failed.slice(before).map((words) => `${name}, revoked: ${words}`);
  const users = client.users.length;
  return [
    ...during,
    ...(mayFail ? [] : after),
    ...(users < 3 ? [`${name}: ${users} users; a change and a revocation make three`] : []),
  ];
}

/** Run them through a change and a revocation. @returns what is wrong */
async function play(running: readonly Running[], stage: Stage): Promise<readonly string[]> {
  await waitUntilReady(running);
  const { changes } = stage;
  await eventually(() => stage.changes > changes, { within: 180_000 });
  // the lease before ends, and its sessions with it
  await setTimeout(stage.overlap + 2_000);
  const before = running.map(({ client }) => client.failed.length);
  await stage.database.revokeEverything();
  await setTimeout(5_000);
  await end(running);
  running.forEach(({ name, client }, i) => {
    console.log(`${name}: ${client.statements} statements, ${client.users.length} users`);
    for (const words of client.failed.slice(before[i])) console.log(`  revoked: ${words}`);
  });
  return running.flatMap((each, i) => faultsOf(each, before[i] ?? 0));
}

async function end(running: readonly Running[]): Promise<void> {
  for (const { endFile } of running) writeFileSync(endFile, "");
  await Promise.all(running.map(({ client }) => client.ended));
}

async function main(pages: readonly string[]): Promise<number> {
  const wanted = LANGUAGES.filter(
    ({ page }) => pages.length === 0 || pages.some((each) => page.includes(each)),
  );
  const ready = prepared(wanted);
  const stage = await Stage.start();
  const running = ready.flatMap((each) => start(stage, each));
  try {
    const faults = await play(running, stage);
    for (const fault of faults) console.log("FAULT", fault);
    console.log(`${running.length - faults.length} passed, ${faults.length} failed`);
    return faults.length === 0 && running.length > 0 ? 0 : 1;
  } finally {
    await end(running);
    for (const { folder } of ready) folder.remove();
    await stage.close();
  }
}

process.exitCode = await main(process.argv.slice(2));
