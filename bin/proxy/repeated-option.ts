/** For commander: an option that may be repeated. */
export const addTo = (text: string, before: readonly string[]): readonly string[] => [
  ...before,
  text,
];
