-- What may be issued: one row for each consumer's grant of a dynamic role. The provisioner writes it,
-- the verbs of every version read it, and it decides, whatever a function's deployment says. The
-- issuer logins can neither read, write nor lock it.
create table if not exists declared (
  role text not null,
  consumer text not null,
  -- The NOLOGIN role that holds the dynamic role's privileges.
  group_role name not null,
  -- The application database that credentials name.
  dbname text not null,
  ttl_seconds int not null,
  max_ttl_seconds int not null,
  -- Most leases of the role at one time, all consumers together: live, latched and quarantined.
  max_leases int not null,
  -- The same of one consumer.
  max_leases_per_consumer int not null,
  -- CONNECTION LIMIT of each lease.
  connection_limit int not null,
  primary key (role, consumer)
);

-- How many leases there are at most: of a role, where consumer is empty, and of a consumer within it. An
-- upper bound, kept by the verb issue alone under its lock: one more with each issue, and a true count
-- again whenever it has reached a limit. A lease that goes makes it too high, never too low; so nobody
-- is ever refused by it, and what there is need not be counted at each issue.
create table if not exists counted (
  role text not null,
  consumer text not null,
  at_most int not null,
  primary key (role, consumer)
);
