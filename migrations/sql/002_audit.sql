-- The trail. Append only: update, delete and truncate raise, whoever asks. A deferred constraint trigger on each
-- guarded table refuses a commit that changed it without an event in the same transaction.

create table audit_event (
  id          bigint generated always as identity primary key,
  org_id      uuid not null references organisation,
  recorded    timestamptz not null,
  action      text not null,
  outcome     text not null,
  actor_kind  text not null,
  actor_id    uuid,
  actor_roles text[] not null default '{}',
  purpose     text not null default 'TREAT',
  reason      text not null default '',
  ip          inet,
  request_id  text not null default '',
  visit_id    uuid,
  room_id     uuid,
  patient_id  uuid,
  object_kind text not null default '',
  object_id   text not null default '',
  detail      jsonb not null default '{}',
  txid        xid8 not null default pg_current_xact_id(),
  constraint audit_event_outcome_known check (outcome in ('success', 'refused', 'failure')),
  constraint audit_event_actor_known check (actor_kind in ('staff', 'patient', 'guest', 'client', 'system', 'anonymous')),
  constraint audit_event_admin_gives_reason check (action <> 'admin.viewed' or reason ~ '[^[:space:]]'),
  constraint audit_event_joined_complete check
    (action <> 'room.joined' or (actor_id is not null and room_id is not null and ip is not null)),
  constraint audit_event_stream_complete check (action <> 'stream.started' or object_id <> '')
);
create index audit_event_txid on audit_event (txid);
create index audit_event_org_recorded on audit_event (org_id, recorded desc, id desc);
create index audit_event_visit on audit_event (visit_id) where visit_id is not null;
create index audit_event_patient on audit_event (patient_id) where patient_id is not null;

-- The Merkle log over the trail, one for each organisation (golang.org/x/mod/sumdb/tlog numbering).
create table audit_leaf (
  org_id     uuid not null references organisation,
  leaf_index bigint not null,
  event_id   bigint not null,
  leaf_hash  bytea not null,
  primary key (org_id, leaf_index),
  constraint audit_leaf_event_once unique (event_id)
);
create table audit_hash (
  org_id     uuid not null references organisation,
  hash_index bigint not null,
  hash       bytea not null,
  primary key (org_id, hash_index)
);
create table audit_checkpoint (
  org_id    uuid not null references organisation,
  tree_size bigint not null,
  signed    text not null,
  sealed_at timestamptz not null,
  archived  boolean not null default false,
  primary key (org_id, tree_size)
);

create function audit_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'the audit trail is append only' using errcode = 'TV001';
end
$$;

create function audit_required() returns trigger language plpgsql security definer set search_path = public as $$
begin
  if not exists (select from audit_event where txid = pg_current_xact_id()) then
    raise exception 'table % was changed without an audit event', tg_table_name using errcode = 'TV002';
  end if;
  return null;
end
$$;

create function guard(tbl regclass) returns void language plpgsql as $$
begin
  execute format('create constraint trigger audit_required after insert or update or delete on %s
                  deferrable initially deferred for each row execute function audit_required()', tbl);
end
$$;

create function isolate(tbl regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', tbl);
  execute format('create policy same_org on %s using (org_id = current_org()) with check (org_id = current_org())', tbl);
end
$$;

create trigger audit_event_append_only before update or delete on audit_event
  for each row execute function audit_append_only();
create trigger audit_event_no_truncate before truncate on audit_event
  for each statement execute function audit_append_only();
create trigger audit_leaf_append_only before update or delete on audit_leaf
  for each row execute function audit_append_only();
create trigger audit_leaf_no_truncate before truncate on audit_leaf
  for each statement execute function audit_append_only();
create trigger audit_hash_append_only before update or delete on audit_hash
  for each row execute function audit_append_only();
create trigger audit_hash_no_truncate before truncate on audit_hash
  for each statement execute function audit_append_only();

select guard('organisation'), guard('staff'), guard('patient');
select isolate('staff'), isolate('patient'), isolate('audit_event'), isolate('audit_leaf'), isolate('audit_hash'), isolate('audit_checkpoint');
alter table organisation enable row level security;
create policy listed on organisation for select using (true);
create policy same_org on organisation for all using (id = current_org()) with check (id = current_org());

grant usage on schema public to televisit_app;
grant select, insert, update on organisation, staff, patient to televisit_app;
grant select, insert on audit_event, audit_leaf, audit_hash to televisit_app;
grant select, insert, update (archived) on audit_checkpoint to televisit_app;

---- create above / drop below ----
drop table audit_checkpoint, audit_hash, audit_leaf, audit_event;
drop function guard(regclass), isolate(regclass), audit_required(), audit_append_only();
