-- Recordings: facts about tracks and segments; the bytes are in the object store, each recording under its own key.

create table recording (
  id           uuid primary key,
  org_id       uuid not null references organisation,
  visit_id     uuid not null references visit,
  wrapped_key  bytea not null,
  state        text not null,
  started_at   timestamptz not null,
  stopped_at   timestamptz,
  stored_at    timestamptz,
  duration_ms  bigint,
  bytes        bigint,
  sha256       bytea,
  content_type text not null default '',
  problem      text not null default '',
  constraint recording_state_known check (state in ('running','finalizing','stored','failed','destroyed'))
);
create index recording_visit on recording (visit_id);

create table recording_track (
  id             uuid primary key,        -- one uninterrupted capture of a stream
  org_id         uuid not null references organisation,
  recording_id   uuid not null references recording,
  participant_id uuid not null,
  kind           text not null,
  source         text not null,
  codec          text not null,
  started_at     timestamptz not null
);

create table recording_segment (
  recording_id uuid not null references recording,
  track_id     uuid not null,
  seq          int not null,
  org_id       uuid not null references organisation,
  object_key   text not null,
  bytes        bigint not null,
  sha256       bytea not null,
  start_ms     bigint not null,
  duration_ms  bigint not null,
  stored_at    timestamptz not null,
  primary key (recording_id, track_id, seq)
);

create table media_session (
  id             uuid primary key,        -- the stream
  org_id         uuid not null references organisation,
  room_id        uuid not null,
  participant_id uuid not null,
  kind           text not null,
  started_at     timestamptz not null
);

create function recording_org(recording uuid) returns uuid
  language sql stable security definer set search_path = public
  as $$ select org_id from recording r where r.id = $1 $$;

select guard('recording'), guard('media_session');
select isolate('recording'), isolate('recording_track'), isolate('recording_segment'), isolate('media_session');
grant select, insert, update on recording to televisit_app;
grant select, insert on recording_track, recording_segment, media_session to televisit_app;

---- create above / drop below ----
drop function recording_org(uuid);
drop table media_session, recording_segment, recording_track, recording;
