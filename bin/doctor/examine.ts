import { AREAS, type Area, type Finding } from "../../core/doctor/finding.ts";

/** Looks at one area. @throws the error for which nothing could be looked at. */
export type Look = () => Promise<readonly Finding[]>;

/** What was found, and the areas that nobody could look at. */
export interface Examination {
  readonly findings: readonly Finding[];
  readonly skipped: readonly { readonly area: Area; readonly error: unknown }[];
}

/**
 * Look at areas, all at once.
 *
 * @param wanted an area that is not wanted by name is skipped where it cannot be looked at.
 * @throws the error of an area that was wanted by name.
 */
export async function examine(
  looks: Readonly<Partial<Record<Area, Look>>>,
  wanted: readonly Area[],
): Promise<Examination> {
  const areas = AREAS.filter((area) => wanted.length === 0 || wanted.includes(area));
  const results = await Promise.all(
    areas.map(async (area) => {
      try {
        return { area, findings: (await looks[area]?.()) ?? [] };
      } catch (error) {
        if (wanted.includes(area)) throw error;
        return { area, findings: [], error };
      }
    }),
  );
  return {
    findings: results.flatMap(({ findings }) => findings),
    skipped: results.flatMap(({ area, error }) => (error === undefined ? [] : [{ area, error }])),
  };
}
