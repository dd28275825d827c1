import type { KeeperEvents } from "./keeper.ts";

type Listeners = { [Name in keyof KeeperEvents]: Set<(...told: KeeperEvents[Name]) => void> };

/** Who listens to a keeper. What a listener throws does not stop the keeper. */
export class Announcer {
  readonly #listeners: Listeners = {
    renewed: new Set(),
    replaced: new Set(),
    failing: new Set(),
    lost: new Set(),
  };

  on<Name extends keyof KeeperEvents>(name: Name, listener: (...told: KeeperEvents[Name]) => void) {
    this.#listeners[name].add(listener);
  }

  off<Name extends keyof KeeperEvents>(
    name: Name,
    listener: (...told: KeeperEvents[Name]) => void,
  ) {
    this.#listeners[name].delete(listener);
  }

  tell<Name extends keyof KeeperEvents>(name: Name, ...told: KeeperEvents[Name]): void {
    for (const listener of this.#listeners[name]) {
      try {
        listener(...told);
      } catch (error) {
        // as of an EventEmitter that a timer calls: nobody here can do anything about it
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
