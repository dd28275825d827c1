import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * What is timed begins first: it waits for most of its time, and the others work meanwhile. At the
 * end, they would wait for it.
 */
export class TimedFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const { timed = [], others = [] } = Object.groupBy(sorted, ({ project }) =>
      project.name === "timed" ? "timed" : "others",
    );
    return [...timed, ...others];
  }
}
