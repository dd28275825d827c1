/** How a command or signal ended. `isFinal`: to try it again would not help. */
export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly message: string; readonly isFinal: boolean };
