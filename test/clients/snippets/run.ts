import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type TempFolder, tempFolder } from "../../../local/temp-folder.ts";
import { eventually } from "../../support/eventually.ts";
import { RunningProgram } from "../client.ts";
import { MissingTool } from "../kits.ts";
import { Stage } from "../stage.ts";
import { buildGoFile, GoFile } from "./go-file.ts";
import { filesOf, withLifetime, writeFiles } from "./page-files.ts";
import { LANGUAGES, type Language, repeats } from "./programs.ts";
import { UnitAgent } from "./unit-agent.ts";

/*
 * The programs of docs/languages, as they stand there, through the proxy while a lease is replaced
 * and all are revoked, and the examples with the agent: `npm run test:snippets [-- WORD...]`. Exit status: 0 when none failed but at
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

/** What a program tells of itself. */
type Program = Readonly<
  Pick<RunningProgram, "isReady" | "failed" | "statements"> & { users: readonly string[] }
>;

/** A program of a page, or an example, that runs. */
interface Running {
  readonly name: string;
  readonly mayFail: boolean;
  readonly program: Program;
  /** Resolves some time after a revocation, when it works again at the latest. */
  readonly recovers: () => Promise<unknown>;
  readonly stop: () => Promise<unknown>;
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
  return language.programs.map((name) => {
    const program = new RunningProgram(language.command(name, folder.path), env);
    const stop = (): Promise<void> => {
      writeFileSync(endFile, "");
      return program.ended;
    };
    const recovers = () => setTimeout(5_000);
    return { name: `${language.page} ${name}`, mayFail: !repeats(name), program, recovers, stop };
  });
}

/** The program of examples/go-file, with the files of the agent of examples/systemd. */
async function startExamples(stage: Stage, folder: string): Promise<readonly Running[]> {
  const agent = await UnitAgent.start(stage.database, stage.ca);
  const undo = () => agent.close();
  try {
    const file = join(folder, "go-file");
    buildGoFile(file);
    const program = new GoFile(file, [agent.paths.json, agent.paths.ca]);
    return [
      {
        name: "examples/go-file",
        mayFail: true,
        program,
        // who reads files does not tell the agent: it looks at its login once a minute
        recovers: () => eventually(() => program.users.length > 2, { within: 180_000 }),
        stop: () => program.stop().then(undo),
      },
    ];
  } catch (error) {
    await undo();
    if (!(error instanceof MissingTool)) throw error;
    console.log(`without examples/go-file: ${error.message}`);
    return [];
  }
}

/** @throws Error with the programs that say nothing. */
async function waitUntilReady(running: readonly Running[]): Promise<void> {
  const isFine = ({ program }: Running): boolean => program.isReady || program.failed.length > 0;
  try {
    await eventually(() => running.every(isFine), { within: 240_000 });
  } catch (cause) {
    const silent = running.filter((each) => !isFine(each)).map(({ name }) => name);
    throw new Error(`nothing is heard of ${silent.join(", ")}`, { cause });
  }
}

/** What is wrong with a program that ran. */
function faultsOf({ name, mayFail, program }: Running, before: number): readonly string[] {
  const during = program.failed.slice(0, before).map((words) => `${name}: ${words}`);
  const after = program.failed.slice(before).map((words) => `${name}, revoked: ${words}`);
  const users = program.users.length;
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
  const before = running.map(({ program }) => program.failed.length);
  await stage.database.revokeEverything();
  await Promise.all(running.map(({ recovers }) => recovers()));
  await end(running);
  running.forEach(({ name, program }, i) => {
    console.log(`${name}: ${program.statements} statements, ${program.users.length} users`);
    for (const words of program.failed.slice(before[i])) console.log(`  revoked: ${words}`);
  });
  return running.flatMap((each, i) => faultsOf(each, before[i] ?? 0));
}

const end = (running: readonly Running[]): Promise<unknown> =>
  Promise.all(running.map(({ stop }) => stop()));

async function main(words: readonly string[]): Promise<number> {
  const isWanted = (name: string): boolean =>
    words.length === 0 || words.some((each) => name.includes(each));
  const ready = prepared(LANGUAGES.filter(({ page }) => isWanted(page)));
  const { path, remove } = tempFolder("examples");
  const stage = await Stage.start();
  const running = ready.flatMap((each) => start(stage, each));
  try {
    if (isWanted("examples")) running.push(...(await startExamples(stage, path)));
    const faults = await play(running, stage);
    for (const fault of faults) console.log("FAULT", fault);
    console.log(`${running.length - faults.length} passed, ${faults.length} failed`);
    return faults.length === 0 && running.length > 0 ? 0 : 1;
  } finally {
    await end(running);
    remove();
    for (const { folder } of ready) folder.remove();
    await stage.close();
  }
}

process.exitCode = await main(process.argv.slice(2));
