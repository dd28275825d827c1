import { type Duration, plus, seconds, type Time } from "../../core/time.ts";

/** AWS's logs and labels need some seconds; more often only costs calls. */
const EVERY = seconds(2);

/** Look until there is something, or time is up: then `undefined`. It looks once at least. */
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
