import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import * as promises from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { FileOwner } from "../configuration.ts";
import { FileError } from "./file-error.ts";

/** What is asked of the file system: tests let any of it fail. */
export type FileSystem = Pick<
  typeof promises,
  "lstat" | "open" | "readFile" | "readdir" | "readlink" | "rename" | "unlink"
>;

export interface WholeFileOptions {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly owner: FileOwner | undefined;
  /** Whether something follows a change: until it is done, a mark beside the file says so. */
  readonly isFollowed: boolean;
  /** @default that of this machine */
  readonly files?: FileSystem;
}

/** Readers see the old file or the new one, whole, and so does who comes after a crash. */
export class WholeFile {
  readonly #options: WholeFileOptions;
  readonly #files: FileSystem;

  constructor(options: WholeFileOptions) {
    this.#options = options;
    this.#files = options.files ?? promises;
  }

  /**
   * Write the content, unless it is in the file.
   *
   * @returns what happened: `same` if mode and owner, at most, were corrected.
   * @throws FileError; what was in the file is still there then, or all of the new content is
   */
  async write(content: string): Promise<"written" | "same"> {
    const { path, isFollowed } = this.#options;
    try {
      const place = await this.#placeOf();
      const bytes = Buffer.from(content);
      const found = await this.#compare(place, bytes);
      if (found === "equal") return "same";
      if (found === "different" && isFollowed) await this.#create(markOf(place), Buffer.alloc(0));
      await this.#replace(place, bytes);
      return found === "different" ? "written" : "same";
    } catch (error) {
      throw asFileError(error, path, this.#options.owner);
    }
  }

  /** Whether what follows a change is still to be done: perhaps by the agent before this one. */
  async isChangeOpen(): Promise<boolean> {
    if (!this.#options.isFollowed) return false;
    try {
      await this.#files.lstat(markOf(await this.#placeOf()));
      return true;
    } catch {
      return false; // there is no mark, or nobody can see it
    }
  }

  /** What follows the change is done. */
  async closeChange(): Promise<void> {
    await this.#unlink(markOf(await this.#placeOf()));
  }

  /** Remove what an agent left that was killed while it wrote. */
  async removeLeftovers(): Promise<void> {
    const place = await this.#placeOf().catch(() => undefined);
    if (place === undefined) return; // writing says why
    const names = await this.#files.readdir(dirname(place)).catch(() => []);
    for (const name of names.filter((each) => each.startsWith(temporaryPrefixOf(place))))
      await this.#unlink(join(dirname(place), name));
  }

  /** Remove the file. @throws FileError if it is still there */
  async remove(): Promise<void> {
    const { path, owner } = this.#options;
    try {
      const place = await this.#placeOf();
      await this.#unlink(place);
      await this.#unlink(markOf(place));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw asFileError(error, path, owner);
    }
  }

  /** Where a path leads: a symbolic link stays, and the file behind it is replaced. */
  async #placeOf(): Promise<string> {
    let place = resolve(this.#options.path);
    for (let links = 0; links < MOST_LINKS; links++) {
      const stats = await this.#files.lstat(place).catch(absent);
      if (stats === undefined || stats.isFile()) return place;
      if (!stats.isSymbolicLink())
        throw new FileError(
          `is ${stats.isDirectory() ? "a folder" : "no regular file"}; give a file`,
        );
      // else who may make links in the folder has us overwrite any file
      if (stats.uid !== 0 && stats.uid !== process.geteuid?.())
        throw new FileError(`is a link of user ${stats.uid}, who is not root; remove it`);
      place = resolve(dirname(place), await this.#files.readlink(place));
    }
    throw new FileError("is a link that leads to others without end; remove it");
  }

  async #compare(
    place: string,
    bytes: Buffer,
  ): Promise<"equal" | "other-attributes" | "different"> {
    const { mode, owner } = this.#options;
    try {
      const stats = await this.#files.lstat(place);
      const isEqual =
        stats.size === bytes.length && bytes.equals(await this.#files.readFile(place));
      if (!isEqual) return "different";
      const isOwned =
        owner === undefined || (stats.uid === owner.user && stats.gid === owner.group);
      return isOwned && (stats.mode & 0o7777) === mode ? "equal" : "other-attributes";
    } catch {
      return "different"; // there is none, or this user may not read it
    }
  }

  async #replace(place: string, bytes: Buffer): Promise<void> {
    const temporary = `${temporaryPrefixOf(place)}${randomBytes(6).toString("hex")}`;
    const path = join(dirname(place), temporary);
    try {
      await this.#create(path, bytes);
      await this.#files.rename(path, place);
    } catch (error) {
      await this.#files.unlink(path).catch(() => {}); // or by the next agent
      throw error;
    }
    await this.#syncFolder(dirname(place));
  }

  async #create(path: string, bytes: Buffer): Promise<void> {
    const { mode, owner } = this.#options;
    const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW, O_TRUNC } = constants;
    // a mark may be there already; a temporary file has a name that nobody knows
    const isMark = bytes.length === 0;
    const flags = O_WRONLY | O_CREAT | O_NOFOLLOW | (isMark ? O_TRUNC : O_EXCL);
    const file = await this.#files.open(path, flags, 0o600);
    try {
      // before there is anything to read in it
      if (!isMark) {
        // the mode last: it is not for a group of ours
        if (owner !== undefined) await file.chown(owner.user, owner.group);
        await file.chmod(mode);
        await file.writeFile(bytes);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** A rename is as durable as its folder. */
  async #syncFolder(path: string): Promise<void> {
    const folder = await this.#files.open(path, constants.O_RDONLY);
    try {
      await folder.sync();
    } catch (error) {
      // some file systems of networks and of FUSE know no such thing
      if (!NOT_FOR_FOLDERS.has((error as NodeJS.ErrnoException).code)) throw error;
    } finally {
      await folder.close();
    }
  }

  async #unlink(path: string): Promise<void> {
    try {
      await this.#files.unlink(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}

const MOST_LINKS = 10;

const NOT_FOR_FOLDERS: ReadonlySet<string | undefined> = new Set(["EINVAL", "ENOTSUP", "EBADF"]);

/** In the folder of the file, so that a rename is all. Hidden: some programs read whole folders. */
const temporaryPrefixOf = (place: string): string => `.${basename(place)}.mayfly-new-`;

/** There while what follows a change is to be done. */
const markOf = (place: string): string =>
  join(dirname(place), `.${basename(place)}.mayfly-changed`);

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT") return undefined;
  throw error;
}

/** What to do about a code of the system. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such folder; make it",
  ENOTDIR: "a folder of it is a file; check the path",
  EACCES: "this user may not write in the folder; change its owner or mode",
  EROFS: "the file system is read-only; mount it for writing, or choose another path",
  ENOSPC: "the disk is full; make room",
  EDQUOT: "the quota is used up; make room",
  ENAMETOOLONG: "the name is too long; choose a shorter one",
};

function asFileError(error: unknown, path: string, owner: FileOwner | undefined): FileError {
  const shown = path.slice(-60);
  if (error instanceof FileError) return new FileError(`${shown} ${error.message}`);
  const { code = "", syscall = "" } = error as NodeJS.ErrnoException;
  const isOwner = code === "EPERM" && syscall === "fchown";
  const remedy = isOwner
    ? `only root may give a file to user ${owner?.user}, group ${owner?.group}; leave the owner out`
    : (REMEDIES[code] ?? "see what the system says of it");
  return new FileError(`cannot write ${shown} (${code || String(error)}): ${remedy}`, {
    cause: error,
  });
}
