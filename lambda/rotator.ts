/** Placeholder: the function that rotates one secret by the four steps is not here yet. */
export const handler = (): Promise<never> =>
  Promise.reject(new Error("the rotator is not built into this bundle; merge its code first"));
