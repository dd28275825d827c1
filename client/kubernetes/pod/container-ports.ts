import { listIn, mapIn, textIn } from "../manifest/written.ts";
import type { PodContainer } from "./pod.ts";

/** The ports of TCP that containers say they listen on, with the container's name. */
export function portsIn(containers: readonly PodContainer[]): ReadonlyMap<number, string> {
  return new Map(
    containers.flatMap(({ name, written }) =>
      listIn(written.ports)
        .map(mapIn)
        .filter(({ protocol }) => ["", "TCP"].includes(textIn(protocol)))
        .map(({ containerPort }) => [Number(textIn(containerPort)), name] as const),
    ),
  );
}
