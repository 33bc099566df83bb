-- Notes, what was signed, and what the chart received.

create table note (
  visit_id      uuid not null references visit,
  org_id        uuid not null references organisation,
  version       bigint not null,          -- of the draft; a save names the version that it saw
  body_sealed   bytea not null,           -- JSON: subjective, objective, assessment, plan
  saved_at      timestamptz not null,
  saved_by      uuid not null references staff,
  primary key (visit_id),
  constraint note_version_positive check (version > 0)
);

-- The exact bytes that were signed, and the signature over them. Immutable.
create table signed_note (
  id             uuid primary key,
  org_id         uuid not null references organisation,
  visit_id       uuid not null references visit,
  kind           text not null,           -- original, addendum, correction
  follows        uuid references signed_note,
  content_sealed bytea not null,          -- canonical JSON of the note as signed
  sha256         bytea not null,
  signature      text not null,           -- detached JWS (RFC 7515 appendix F)
  signed_by      uuid not null references staff,
  signed_at      timestamptz not null,
  constraint signed_note_kind_known check (kind in ('original','addendum','correction')),
  constraint signed_note_follows check ((kind = 'original') = (follows is null))
);
create unique index signed_note_one_original on signed_note (visit_id) where kind = 'original';

create function signed_note_immutable() returns trigger language plpgsql as $$
begin
  raise exception 'a signed note is never changed' using errcode = 'TV003';
end
$$;
create trigger signed_note_immutable before update or delete on signed_note
  for each row execute function signed_note_immutable();

-- One row for each resource that the EHR is to receive; the identifier makes delivery exactly-once.
create table delivery (
  id            uuid primary key,         -- also the business identifier: urn:uuid:<id>
  org_id        uuid not null references organisation,
  visit_id      uuid not null references visit,
  ehr           text not null,
  kind          text not null,            -- appointment, encounter, note, recording
  subject_id    uuid,                     -- signed_note.id or recording.id
  state         text not null,
  attempts      int not null default 0,
  reference_sealed bytea,                 -- "DocumentReference/id" once accepted
  etag          text not null default '',
  problem       text not null default '', -- a safe sentence for the worklist
  due_at        timestamptz not null,
  accepted_at   timestamptz,
  updated_at    timestamptz not null,
  constraint delivery_kind_known check (kind in ('appointment','encounter','note','recording')),
  constraint delivery_state_known check (state in ('due','sent','accepted','rejected')),
  constraint delivery_once unique nulls not distinct (visit_id, kind, subject_id),
  constraint delivery_accepted_has_reference check (state <> 'accepted' or reference_sealed is not null)
);

-- The ledger: every request that went to an EHR, its bytes sealed and their fingerprint.
create table delivery_attempt (
  id           bigint generated always as identity primary key,
  org_id       uuid not null references organisation,
  delivery_id  uuid not null references delivery,
  method       text not null,
  resource     text not null,             -- type only, never an id
  body_sealed  bytea,
  body_sha256  bytea,
  status       int not null default 0,    -- 0: no answer came
  etag         text not null default '',
  location_sealed bytea,
  request_id   text not null default '',
  outcome      text not null,
  started_at   timestamptz not null,
  ended_at     timestamptz not null
);
create index delivery_attempt_delivery on delivery_attempt (delivery_id);

select guard('note'), guard('signed_note'), guard('delivery'), guard('delivery_attempt');
select isolate('note'), isolate('signed_note'), isolate('delivery'), isolate('delivery_attempt');
grant select, insert, update on note, delivery to televisit_app;
grant select, insert on signed_note, delivery_attempt to televisit_app;

---- create above / drop below ----
drop table delivery_attempt, delivery, signed_note, note;
drop function signed_note_immutable();
