import { type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";
import { configSchema } from "../config/config.ts";

/** A schema of `oneOf` contains the schemas that it picks from. */
const kindsOf = (schema: object): readonly GenericSchema[] | undefined =>
  "kinds" in schema
    ? Object.values(schema.kinds as Readonly<Record<string, GenericSchema>>)
    : undefined;

const convert = (schema: GenericSchema): JsonSchema => {
  const { $schema: _, ...converted } = toJsonSchema(schema, {
    typeMode: "input",
    // checks in code have no JSON Schema
    errorMode: "ignore",
    overrideSchema: ({ valibotSchema }) => {
      const kinds = kindsOf(valibotSchema);
      return kinds && { anyOf: kinds.map(convert) };
    },
  });
  return converted;
};

/**
 * JSON Schema of a configuration, for editors. It has the shape only; `mayfly config check` checks
 * all.
 */
export const editorSchema = (): JsonSchema => ({
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "Mayfly's configuration",
  ...convert(configSchema),
});
