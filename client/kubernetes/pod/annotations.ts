/** The prefix of the annotations of a pod template that `mayfly inject` reads. */
export const PREFIX = "mayfly/";

/**
 * The annotations without a name of their own, without the prefix.
 *
 * - `inject`: `"true"`; anything else leaves the pod as it is
 * - `containers`: which containers see the volume, e.g. `app,worker`; the default is all
 * - `init-only`: `"true"`: files are written once, before the containers start
 * - `native`: `"false"` for clusters before 1.29: an init container and a sidecar with one key
 * - `path`: where the volume is mounted; the default is `/run/mayfly`
 * - `secrets-manager`: the port of Secrets Manager's protocol, e.g. `2773`
 * - `image`: of the agent; the default is the command's `--image`
 * - `user`: `1000:1000`, the numbers of the agent's user and group, or `inherit`
 * - `resources`: the container's resources, as JSON
 */
export const POD_ANNOTATIONS = [
  "inject",
  "containers",
  "init-only",
  "native",
  "path",
  "secrets-manager",
  "image",
  "user",
  "resources",
] as const;
export type PodAnnotation = (typeof POD_ANNOTATIONS)[number];

/**
 * The annotations that end in the name of a login, e.g. `mayfly/lease-orders`.
 *
 * - `lease`: the ARN of the issuer's alias, or `database/role` if a container has its variable
 *   `MAYFLY_LEASE_…`
 * - `secret`: a rotated secret's ARN, or its name in Secrets Manager, e.g. `name:orders/app`
 * - `ttl`: how long a lease lives without renewal, e.g. `1h`
 * - `proxy`: the port of its proxy, or `socket`
 * - `template`: text of a Handlebars template, or `format`: a ready-made one; both write
 *   `<path>/<file>`
 * - `file`: the file's name; the default is the login's
 * - `from`: for a template of several logins, e.g. `orders,reports`
 * - `mode`: the file's mode, e.g. `0640`
 * - `command`: run after the file has changed: a JSON list of words
 */
export const LOGIN_ANNOTATIONS = [
  "lease",
  "secret",
  "ttl",
  "proxy",
  "template",
  "format",
  "file",
  "from",
  "mode",
  "command",
] as const;
export type LoginAnnotation = (typeof LOGIN_ANNOTATIONS)[number];

/**
 * As `user`: the manifest names none for the agent, which then has the pod's, the one that the
 * cluster gives, as OpenShift does, or the image's.
 */
export const INHERITED_USER = "inherit";

/** `"true"` on a pod template that has what `mayfly inject` adds: the next time it is replaced. */
export const INJECTED = `${PREFIX}injected`;

/** The annotations of a pod template, with their prefixes. */
export type Annotations = Readonly<Record<string, string>>;
