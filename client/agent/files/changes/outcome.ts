/** How a command or signal ended. `final`: to try it again would not help. */
export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly message: string; readonly final: boolean };
