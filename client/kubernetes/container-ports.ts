import { listIn, mapIn, type PodContainer, textIn } from "./pod.ts";

/** The ports that containers say they listen on, with the container's name. */
export function portsIn(containers: readonly PodContainer[]): ReadonlyMap<number, string> {
  return new Map(
    containers.flatMap(({ name, written }) =>
      listIn(written.ports).map(
        (each) => [Number(textIn(mapIn(each).containerPort)), name] as const,
      ),
    ),
  );
}
