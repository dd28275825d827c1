import { AwsError } from "./aws-error.ts";

/** One value of a secret and the labels on it. */
export interface SecretVersion {
  readonly id: string;
  readonly value: string;
  readonly stages: Set<string>;
  readonly createdAt: Date;
}

/** The values of one secret, and the rules by which labels move between them. */
export class SecretVersions {
  readonly #versions = new Map<string, SecretVersion>();

  /**
   * Add a value, with its labels taken from where they were; the value that loses `AWSCURRENT`
   * becomes `AWSPREVIOUS`. The same id with the same value changes nothing.
   *
   * @throws AwsError `ResourceExistsException` for a known id with another value.
   */
  put(id: string, value: string, stages: readonly string[]): SecretVersion {
    const known = this.#versions.get(id);
    if (known !== undefined && known.value !== value)
      throw new AwsError(
        "ResourceExistsException",
        `You can't use ClientRequestToken ${id} because that value is already in use for a version of secret.`,
      );
    if (known !== undefined) return known;
    const version = { id, value, stages: new Set<string>(), createdAt: new Date() };
    this.#versions.set(id, version);
    for (const stage of this.#versions.size === 1 ? ["AWSCURRENT", ...stages] : stages)
      this.#move(stage, version);
    return version;
  }

  #move(stage: string, to: SecretVersion): void {
    const from = this.#labelled(stage);
    if (from === to) return;
    from?.stages.delete(stage);
    to.stages.add(stage);
    if (stage === "AWSCURRENT" && from !== undefined) this.#move("AWSPREVIOUS", from);
  }

  #labelled(stage: string): SecretVersion | undefined {
    return [...this.#versions.values()].find(({ stages }) => stages.has(stage));
  }

  /**
   * The version with this id, label, or both; `AWSCURRENT` when neither is given.
   *
   * @throws AwsError as GetSecretValue does.
   */
  get(id: string | undefined, stage: string | undefined): SecretVersion {
    const wanted = stage ?? "AWSCURRENT";
    const version = id === undefined ? this.#labelled(wanted) : this.#versions.get(id);
    if (version === undefined)
      throw new AwsError(
        "ResourceNotFoundException",
        `Secrets Manager can't find the specified secret value for ${id === undefined ? `staging label: ${wanted}` : `VersionId: ${id}`}`,
      );
    if (stage !== undefined && !version.stages.has(stage))
      throw new AwsError(
        "InvalidRequestException",
        "You provided a VersionStage that is not associated to the provided VersionId.",
      );
    return version;
  }

  /** Ids to labels, of the versions that have any. */
  get labels(): Record<string, string[]> {
    const labelled = [...this.#versions.values()].filter(({ stages }) => stages.size > 0);
    return Object.fromEntries(labelled.map(({ id, stages }) => [id, [...stages]]));
  }
}
