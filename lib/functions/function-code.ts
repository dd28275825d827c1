import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Lazy, Stage, Token } from "aws-cdk-lib";
import { Code, type CodeConfig } from "aws-cdk-lib/aws-lambda";
import { Asset } from "aws-cdk-lib/aws-s3-assets";
import type { Construct } from "constructs";
import type { ParsedTrust } from "../../config/config.ts";

/** The folder that `npm run build` writes the bundles to. */
export const BUILT_FUNCTIONS = join(import.meta.dirname, "../../dist");

/**
 * The folder of one function's bundle.
 *
 * @throws Error if it was not built.
 */
export function bundleFolder(assets: string, name: string): string {
  const folder = join(assets, name);
  if (!existsSync(join(folder, "index.mjs")))
    throw new Error(`${join(folder, "index.mjs")} does not exist; run "npm run build" first`);
  return folder;
}

/**
 * Refuse a Region, if it is known, whose RDS roots are not part of Mayfly.
 *
 * @throws Error if a deployed function would find no roots to trust.
 */
export function checkRoots(assets: string, region: string, trust: ParsedTrust): void {
  if (Token.isUnresolved(region) || trust.tls === "plaintext" || trust.ca !== undefined) return;
  if (existsSync(join(bundleFolder(assets, "issuer"), "rds-ca", `${region}.pem`))) return;
  throw new Error(
    `no RDS roots for Region "${region}" come with Mayfly; pass ca, the PEM text of the roots to trust`,
  );
}

/** A bundle with JSON files, whose content is only known when the app is synthesized. */
export class FunctionCode extends Code {
  readonly isInline = false;
  readonly #folder: string;
  #asset: Asset | undefined;

  constructor(folder: string) {
    super();
    this.#folder = folder;
  }

  /** Refer to an asset that does not exist yet. */
  bind(scope: Construct): CodeConfig {
    const asset = (): Asset => {
      if (this.#asset === undefined)
        throw new Error(`${scope.node.path} was resolved before the app was synthesized`);
      return this.#asset;
    };
    return {
      s3Location: {
        bucketName: Lazy.string({ produce: () => asset().s3BucketName }),
        objectKey: Lazy.string({ produce: () => asset().s3ObjectKey }),
      },
    };
  }

  /** Make the asset, once, from the bundle and further files: file name to content. */
  complete(scope: Construct, files: Readonly<Record<string, object>>): void {
    if (this.#asset !== undefined) return;
    const stage = Stage.of(scope);
    if (stage === undefined) throw new Error(`${scope.node.path} is not part of an App`);
    // not by an asset's bundling option: that prints every folder to stderr
    const folder = mkdtempSync(join(stage.assetOutdir, "mayfly-"));
    cpSync(this.#folder, folder, { recursive: true });
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(folder, name), `${JSON.stringify(content, null, 2)}\n`);
    this.#asset = new Asset(scope, "Code", { path: folder });
    const staged = this.#asset.assetPath !== folder;
    if (staged) rmSync(folder, { recursive: true });
  }
}
