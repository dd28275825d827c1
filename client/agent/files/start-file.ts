import { minutes, seconds } from "../../../core/time.ts";
import { BackOff, type Pace } from "../../keeper/back-off.ts";
import type { Publication, PublishedLogin } from "../publication.ts";
import { compileContent, type RenderContent } from "./content.ts";
import { FileError } from "./file-error.ts";
import type { FileOutlet, FileOutletOptions } from "./file-outlet.ts";
import { type FileSystem, WholeFile } from "./whole-file.ts";

/** Somebody must make room or a folder; a minute is soon enough after that. */
const PACE: Pace = { first: seconds(1), longest: minutes(1) };

/**
 * Keep a file written with the newest logins.
 *
 * @param files @default that of this machine
 * @throws FileError if the template or the format cannot be used
 */
export async function startFile(
  options: FileOutletOptions,
  files?: FileSystem,
): Promise<FileOutlet> {
  const render = await compileContent(options.file);
  return new KeptFile(options, render, files);
}

class KeptFile implements FileOutlet {
  readonly path: string;
  readonly written: Promise<void>;
  readonly #options: FileOutletOptions;
  readonly #render: RenderContent;
  readonly #file: WholeFile;
  readonly #backOff: BackOff;
  readonly #stop = new AbortController();
  readonly #newest = new Map<Publication, PublishedLogin>();
  readonly #unfollow: readonly (() => void)[];
  #firstIsWritten = (): void => {};
  /** Ids of the logins that are in the file. */
  #written: readonly string[] = [];
  #isWanted = false;
  #last: Promise<void> = Promise.resolve();
  #work: Promise<void> | undefined;

  constructor(options: FileOutletOptions, render: RenderContent, files: FileSystem | undefined) {
    const { file, publications, time } = options;
    this.path = file.path;
    this.#options = options;
    this.#render = render;
    this.#file = new WholeFile({
      ...file,
      isFollowed: file.onChange !== undefined,
      ...(files !== undefined && { files }),
    });
    this.#backOff = new BackOff(time, () => 1);
    this.written = new Promise((resolve) => {
      this.#firstIsWritten = resolve;
    });
    this.#unfollow = publications.map((each) =>
      each.follow((published) => this.#onNext(each, published)),
    );
  }

  get isCurrent(): boolean {
    const newest = this.#options.publications.map((each) => each.newest?.login.id);
    return (
      newest.length === this.#written.length && newest.every((id, at) => id === this.#written[at])
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const unfollow of this.#unfollow) unfollow();
    this.#stop.abort();
    await this.#work;
  }

  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    try {
      await this.#file.remove();
    } catch (error) {
      this.#tell(error);
    }
  }

  #onNext(publication: Publication, published: PublishedLogin): void {
    this.#newest.set(publication, published);
    if (this.#newest.size < this.#options.publications.length) return;
    this.#isWanted = true;
    this.#work ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    const { time } = this.#options;
    if (this.#written.length === 0) await this.#removeLeftovers();
    while (this.#isWanted && !this.#stop.signal.aborted) {
      this.#isWanted = false;
      try {
        await this.#alone(() => this.#write());
        this.#backOff.end();
      } catch (error) {
        this.#tell(error);
        this.#isWanted = true;
        this.#backOff.begin(PACE);
        await time.wait(this.#backOff.left, this.#stop.signal);
      }
    }
    this.#work = undefined;
  }

  async #write(): Promise<void> {
    const { file, publications, authoritiesOf, changes, onEvent } = this.#options;
    const logins = publications.flatMap((each) => {
      const login = this.#newest.get(each)?.login;
      return login === undefined ? [] : [{ name: each.name, login }];
    });
    const result = await this.#file.write(this.#render(logins, authoritiesOf));
    this.#written = logins.map(({ login }) => login.id);
    const usernames = logins.map(({ login }) => login.username);
    if (result === "written") onEvent({ kind: "file-written", path: this.path, usernames });
    const { onChange } = file;
    if (onChange === undefined || !(await this.#file.isChangeOpen())) {
      this.#firstIsWritten();
      return;
    }
    void changes
      .follow({
        path: this.path,
        onChange,
        secrets: logins.map(({ login }) => login.password),
        onDone: () => this.#closeChange(logins.map(({ login }) => login.id)),
      })
      .then(this.#firstIsWritten);
  }

  /** Unless the file was written again meanwhile: that change is still to be followed. */
  async #closeChange(ids: readonly string[]): Promise<void> {
    await this.#alone(async () => {
      if (ids.join("\n") === this.#written.join("\n")) await this.#file.closeChange();
    }).catch((error: unknown) => this.#tell(error));
  }

  async #removeLeftovers(): Promise<void> {
    try {
      await this.#file.removeLeftovers();
    } catch (error) {
      this.#tell(error);
    }
  }

  /** One after the other: a mark that is being made must not be taken for an old one. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  #tell(error: unknown): void {
    const { message } = error instanceof Error ? error : new FileError(String(error));
    this.#options.onEvent({ kind: "file-failed", path: this.path, message });
  }
}
