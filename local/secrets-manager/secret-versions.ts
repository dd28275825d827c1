import type { Clock } from "../clock.ts";
import { AwsError } from "../http/aws-error.ts";

/** One value of a secret and the labels on it. */
export interface SecretVersion {
  readonly id: string;
  /** Undefined while a rotation has created the version and nobody has set its value. */
  value: string | undefined;
  readonly stages: Set<string>;
  readonly createdAt: Date;
}

/** A version that can be read. */
export type FilledVersion = SecretVersion & { readonly value: string };

/** The input of UpdateSecretVersionStage. */
export interface LabelMove {
  readonly label: string;
  readonly to?: string | undefined;
  readonly from?: string | undefined;
}

const MOST_LABELS = 20;
const MOST_VERSIONS = 100;
/** Secrets Manager deletes no younger version. Milliseconds. */
const DAY = 86_400_000;

/** The values of one secret, and the rules for moving labels. */
export class SecretVersions {
  readonly #secretArn: string;
  readonly #clock: Pick<Clock, "now">;
  readonly #versions = new Map<string, SecretVersion>();

  constructor(secretArn: string, clock: Pick<Clock, "now">) {
    this.#secretArn = secretArn;
    this.#clock = clock;
  }

  /** All versions, oldest first, including those without labels. */
  get all(): readonly SecretVersion[] {
    return [...this.#versions.values()];
  }

  /** The version with this label, if any. */
  labelled(label: string): SecretVersion | undefined {
    return this.all.find(({ stages }) => stages.has(label));
  }

  /** The version with this id, with or without a value or labels. */
  find(id: string): SecretVersion | undefined {
    return this.#versions.get(id);
  }

  /** Create a rotation's version: its id with `AWSPENDING`, without a value unless one is given. */
  begin(id: string, value?: string): void {
    const version = this.#add(id);
    version.value = value;
    this.#move("AWSPENDING", version);
  }

  /** Remove a version, at the end of a rotation's test. */
  remove(id: string): void {
    this.#versions.delete(id);
  }

  /** Remove a label from a version, if the version has it. */
  unlabel(id: string, label: string): void {
    const version = this.#versions.get(id);
    version?.stages.delete(label);
    this.#tidy(version);
  }

  /**
   * Add a value, or set the value of a version that has only its id. Labels move from their old
   * versions; the version that loses `AWSCURRENT` becomes `AWSPREVIOUS`. The same id with the same
   * value changes nothing.
   *
   * @throws AwsError `ResourceExistsException` for a known id with another value,
   *   `LimitExceededException` for too many labels, or too many versions of one day.
   */
  put(id: string, value: string, labels: readonly string[]): SecretVersion {
    const known = this.#versions.get(id);
    if (known?.value !== undefined && known.value !== value)
      throw new AwsError(
        "ResourceExistsException",
        `You can't use ClientRequestToken ${id} because that value is already in use for a version of secret ${this.#secretArn}.`,
      );
    if (known?.value !== undefined) return known;
    const wanted = this.#versions.size === 0 ? ["AWSCURRENT", ...labels] : labels;
    assertLabelLimit(known?.stages ?? new Set(), wanted);
    const version = known ?? this.#add(id);
    version.value = value;
    for (const label of wanted) this.#move(label, version);
    return version;
  }

  /**
   * Move, add or remove a label.
   *
   * @throws AwsError as UpdateSecretVersionStage, before anything is changed.
   */
  relabel({ label, to, from }: LabelMove): void {
    const holder = this.labelled(label);
    const target = to === undefined ? undefined : this.#versions.get(to);
    if (to !== undefined && target === undefined) throw noVersion(`VersionId: ${to}`);
    if (from !== undefined && !this.#versions.has(from)) throw noVersion(`VersionId: ${from}`);
    if (to === undefined && from === undefined)
      throw invalid("You must specify MoveToVersionId, RemoveFromVersionId, or both.");
    assertFrom({ label, to, from }, holder);
    if (target === undefined) {
      if (label === "AWSCURRENT")
        throw invalid(
          "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
        );
      this.unlabel(from ?? "", label);
      return;
    }
    if (label === "AWSCURRENT" && target.value === undefined)
      throw new AwsError(
        "InvalidRequestException",
        `You can't move staging label AWSCURRENT to version ${target.id} because it has no value.`,
      );
    assertLabelLimit(target.stages, [label]);
    this.#move(label, target);
  }

  /**
   * The version with this id, this label, or both. Without both, `AWSCURRENT`.
   *
   * @throws AwsError as GetSecretValue, also if the version has no value yet.
   */
  get(id: string | undefined, label: string | undefined): FilledVersion {
    const wanted = label ?? "AWSCURRENT";
    const version = id === undefined ? this.labelled(wanted) : this.#versions.get(id);
    if (version === undefined)
      throw noVersion(id === undefined ? `staging label: ${wanted}` : `VersionId: ${id}`);
    if (label !== undefined && !version.stages.has(label))
      throw new AwsError(
        "InvalidRequestException",
        "You provided a VersionStage that is not associated to the provided VersionId.",
      );
    if (isFilled(version)) return version;
    throw noVersion(
      label === undefined && id !== undefined ? `VersionId: ${id}` : `staging label: ${wanted}`,
    );
  }

  /** Id to labels, of the versions with labels. */
  get labels(): Record<string, string[]> {
    const labelled = this.all.filter(({ stages }) => stages.size > 0);
    return Object.fromEntries(labelled.map(({ id, stages }) => [id, [...stages]]));
  }

  #add(id: string): SecretVersion {
    if (this.#versions.size >= MOST_VERSIONS) this.#dropOldest();
    const createdAt = new Date(this.#clock.now());
    const version = { id, value: undefined, stages: new Set<string>(), createdAt };
    this.#versions.set(id, version);
    return version;
  }

  /** Delete the oldest version without a label, if it is older than a day. */
  #dropOldest(): void {
    const old = this.#clock.now() - DAY;
    const surplus = this.all.find(
      ({ stages, createdAt }) => stages.size === 0 && createdAt.getTime() < old,
    );
    if (surplus === undefined)
      throw new AwsError(
        "LimitExceededException",
        `The secret has ${MOST_VERSIONS} versions that are younger than a day or have staging labels.`,
      );
    this.#versions.delete(surplus.id);
  }

  #move(label: string, to: SecretVersion): void {
    const from = this.labelled(label);
    if (from === to) return;
    from?.stages.delete(label);
    to.stages.add(label);
    if (label === "AWSCURRENT" && from !== undefined) this.#move("AWSPREVIOUS", from);
    this.#tidy(from);
  }

  /** Delete a version without value and labels. */
  #tidy(version: SecretVersion | undefined): void {
    if (version !== undefined && version.value === undefined && version.stages.size === 0)
      this.#versions.delete(version.id);
  }
}

const isFilled = (version: SecretVersion): version is FilledVersion => version.value !== undefined;

const invalid = (message: string): AwsError => new AwsError("InvalidParameterException", message);

const noVersion = (which: string): AwsError =>
  new AwsError(
    "ResourceNotFoundException",
    `Secrets Manager can't find the specified secret value for ${which}`,
  );

/** Check that the request names the version from which it moves a label. */
function assertFrom({ label, to, from }: LabelMove, holder: SecretVersion | undefined): void {
  if (from === undefined && holder !== undefined && holder.id !== to)
    throw invalid(
      `The parameter RemoveFromVersionId can't be empty. Staging label ${label} is currently attached to version ${holder.id}, so you must explicitly reference that version in RemoveFromVersionId.`,
    );
  if (from === undefined || from === holder?.id) return;
  throw invalid(
    to === undefined
      ? `The version ${from} that RemoveFromVersionId names doesn't have staging label ${label}.`
      : `When you move staging label ${label}, if you specify RemoveFromVersionId, it must be set to the version that currently has the staging label ${label}.`,
  );
}

function assertLabelLimit(present: ReadonlySet<string>, added: readonly string[]): void {
  if (new Set([...present, ...added]).size <= MOST_LABELS) return;
  throw new AwsError(
    "LimitExceededException",
    `A version of a secret has at most ${MOST_LABELS} staging labels.`,
  );
}
