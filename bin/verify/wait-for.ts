import { type Duration, plus, seconds, type Time } from "../../core/time.ts";

/** Time between two looks. AWS's logs and labels need some seconds. */
const EVERY = seconds(2);

/** Look until there is a result or time is up (undefined). Looks at least once. */
export async function waitFor<Found>(
  time: Time,
  within: Duration,
  look: () => Promise<Found | undefined>,
): Promise<Found | undefined> {
  const deadline = plus(time.now(), within);
  for (;;) {
    const found = await look();
    if (found !== undefined || time.now() >= deadline) return found;
    await time.wait(EVERY);
  }
}
