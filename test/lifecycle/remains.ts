import { ListSchedulesCommand, type SchedulerClient } from "@aws-sdk/client-scheduler";
import pg from "pg";

/** What a server still has of Mayfly. */
export interface Remains {
  /** Names of roles that begin with `mf_`. */
  readonly roles: readonly string[];
  /** Open sessions of such roles, and of roles that are gone. */
  readonly sessions: number;
  /** Databases named `mayfly`. */
  readonly databases: number;
}

const REMAINS = `
select array(select rolname::text from pg_roles where rolname like 'mf\\_%' order by 1) as roles,
  (select count(*)::int from pg_stat_activity
    where usename like 'mf\\_%' or (usesysid is not null and usename is null)) as sessions,
  (select count(*)::int from pg_database where datname = 'mayfly') as databases`;

export async function remainsOn(superuser: pg.ClientConfig): Promise<Remains> {
  const client = new pg.Client(superuser);
  await client.connect();
  try {
    const { rows } = await client.query<Remains>(REMAINS);
    return rows[0] ?? { roles: [], sessions: 0, databases: 0 };
  } finally {
    await client.end();
  }
}

/** Names of the schedules in a group; `undefined` when there is no such group. */
export async function schedulesIn(
  scheduler: SchedulerClient,
  GroupName: string,
): Promise<readonly string[] | undefined> {
  const names: string[] = [];
  let NextToken: string | undefined;
  try {
    do {
      const page = await scheduler.send(new ListSchedulesCommand({ GroupName, NextToken }));
      names.push(...(page.Schedules ?? []).flatMap(({ Name }) => Name ?? []));
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    return names;
  } catch (error) {
    if (error instanceof Error && error.name === "ResourceNotFoundException") return undefined;
    throw error;
  }
}
