import type { Plugin } from "esbuild";

/**
 * Node's own modules by `require`: an ESM import of `node:http`, `node:crypto` or `node:tls` reads
 * every export, also those that load on first use (WebSocket, root certificates), which is a
 * quarter of the time that a function or a command takes to start.
 */
export const requiredBuiltins: Plugin = {
  name: "required-builtins",
  setup: (bundler) => {
    bundler.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === "require-call" ? { path, external: true } : { path, namespace: "builtin" },
    );
    bundler.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};
