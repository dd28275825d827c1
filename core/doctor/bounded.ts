import { byHand } from "./examiner.ts";
import { type Finding, VERDICTS, worstOf } from "./finding.ts";

/** Most findings of one check. */
const MOST = 100;
/** Most bytes of all findings: a function may answer with 6 MB, in which quotes are escaped. */
const MOST_BYTES = 2_500_000;

const worstFirst = (findings: readonly Finding[]): readonly Finding[] =>
  VERDICTS.toReversed().flatMap((verdict) => findings.filter((each) => each.verdict === verdict));

function rest(left: readonly Finding[]): readonly Finding[] {
  const [first] = left;
  if (first === undefined) return [];
  return [
    {
      area: first.area,
      check: first.check,
      subject: `${left.length} more`,
      verdict: worstOf(left),
      evidence: `${left.length} more findings are left out: an answer has at most ${MOST} of one check, and ${MOST_BYTES} bytes`,
      fix: byHand("mend what is shown, and ask again"),
      leftOut: left.length,
    },
  ];
}

/** As many findings as an answer can hold, the worst first, and how many more each check has. */
export function bounded(
  findings: readonly Finding[],
  { most = MOST, bytes = MOST_BYTES }: { readonly most?: number; readonly bytes?: number } = {},
): readonly Finding[] {
  const checkOf = ({ area, check }: Finding): string => `${area} ${check}`;
  const counts = new Map<string, number>();
  const kept = new Set<Finding>();
  let room = bytes;
  for (const each of worstFirst(findings)) {
    const count = counts.get(checkOf(each)) ?? 0;
    const size = Buffer.byteLength(JSON.stringify(each));
    if (count >= most || size > room) continue;
    counts.set(checkOf(each), count + 1);
    room -= size;
    kept.add(each);
  }
  return [...Map.groupBy(findings, checkOf).values()].flatMap((all) => [
    ...all.filter((each) => kept.has(each)),
    ...rest(all.filter((each) => !kept.has(each))),
  ]);
}
