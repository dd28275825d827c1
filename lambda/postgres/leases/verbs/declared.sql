-- The grants: one row for each consumer's grant of a dynamic role. The provisioner writes them, and
-- the verbs of every version read them. They decide what may be issued, whatever a function's
-- deployment says. The issuer logins cannot read, write or lock them.
create table if not exists declared (
  role text not null,
  consumer text not null,
  -- The NOLOGIN role that has the dynamic role's privileges.
  group_role name not null,
  -- The application database in credentials.
  dbname text not null,
  ttl_seconds int not null,
  max_ttl_seconds int not null,
  -- Most leases of the role at one time, all consumers together: live, latched and quarantined.
  max_leases int not null,
  -- Most leases of one consumer.
  max_leases_per_consumer int not null,
  -- CONNECTION LIMIT of each lease.
  connection_limit int not null,
  primary key (role, consumer)
);

-- An upper bound of the number of leases: of a role, if consumer is empty, or of a consumer of the
-- role. Only the verb issue changes it, under its lock: plus one for each issue, and a real count
-- whenever it reaches a limit. A dropped lease makes it too high, never too low. So it never
-- refuses anybody, and leases need not be counted at each issue.
create table if not exists counted (
  role text not null,
  consumer text not null,
  at_most int not null,
  primary key (role, consumer)
);

-- The users that the configuration watches. The provisioner writes them.
create table if not exists watched (
  username name primary key,
  since timestamptz not null default clock_timestamp()
);

-- What sweeps saw of them. Only the verb note_watched writes here.
create table if not exists seen (
  username name not null references watched on delete cascade,
  server text not null,
  -- How many sweeps looked there, and when the last one did.
  looks int not null,
  looked timestamptz,
  -- When a sweep last could not look there.
  missed timestamptz,
  -- When a sweep last saw a session there.
  seen timestamptz,
  -- At the last look.
  sessions int,
  -- When the user was seen last: up to five names that its sessions gave themselves.
  applications text[] not null,
  primary key (username, server)
);
