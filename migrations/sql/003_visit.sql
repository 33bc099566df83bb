-- The visit and its four states (package visit is the authority; the checks repeat its invariants).

create table visit (
  id              uuid primary key,
  org_id          uuid not null references organisation,
  room_id         uuid not null,
  clinician_id    uuid not null references staff,
  patient_id      uuid not null references patient,
  starts_at       timestamptz not null,
  ends_at         timestamptz not null,
  visit_type      text not null default 'video',
  media_policy    text not null default 'sfu',
  interpreter     text not null default '',
  language        text not null default 'en',      -- the patient's, as a BCP 47 tag
  reason_sealed   bytea,
  stage           text not null,
  note            text not null,
  recording       text not null,
  delivery        text not null,
  arrived_at      timestamptz,
  started_at      timestamptz,
  ended_at        timestamptz,
  end_reason      text not null default '',        -- a code, never a text
  device_check    jsonb not null default '{}',   -- {"camera":"ok|denied|skipped","microphone":..,"speaker":..,"network":..}
  ehr             text not null,
  appointment_sealed bytea,                       -- "Appointment/id" at the EHR
  appointment_index  bytea,
  encounter_sealed   bytea,                       -- "Encounter/id" at the EHR
  client_resource_sealed bytea,                   -- the Appointment as a FHIR client sent it, verbatim
  version         bigint not null default 1,
  created_at      timestamptz not null,
  updated_at      timestamptz not null,
  constraint visit_room_once unique (room_id),
  constraint visit_time_order check (ends_at > starts_at),
  constraint visit_time_bounded check (ends_at - starts_at <= interval '8 hours'),
  constraint visit_stage_known check (stage in ('booked','arrived','in-call','ended','cancelled','no-show')),
  constraint visit_note_known check (note in ('none','draft','signed','amended')),
  constraint visit_recording_known check (recording in ('off','consented','running','finalizing','stored','failed')),
  constraint visit_delivery_known check (delivery in ('none','due','sent','accepted','rejected')),
  constraint visit_policy_known check (media_policy in ('sfu','relay-only')),
  constraint visit_arrived_has_time check (stage not in ('arrived') or arrived_at is not null),
  constraint visit_in_call_has_start check (stage <> 'in-call' or started_at is not null),
  constraint visit_ended_has_times check (stage <> 'ended' or (started_at is not null and ended_at is not null)),
  constraint visit_recording_needs_call check (recording in ('off','consented') or stage in ('in-call','ended')),
  constraint visit_running_needs_call check (recording <> 'running' or stage = 'in-call'),
  constraint visit_signed_after_end check (note not in ('signed','amended') or stage = 'ended'),
  constraint visit_delivery_needs_signature check (delivery = 'none' or note in ('signed','amended')),
  constraint visit_clinician_free exclude using gist
    (org_id with =, clinician_id with =, tstzrange(starts_at, ends_at) with &&)
    where (stage in ('booked','arrived','in-call'))
);
create index visit_worklist on visit (org_id, clinician_id, starts_at);
create index visit_patient on visit (org_id, patient_id, starts_at);
create index visit_open_calls on visit (org_id) where stage = 'in-call';
create index visit_unfinished on visit (org_id, clinician_id) where stage = 'ended' and (note in ('none','draft') or delivery in ('due','sent','rejected'));
create unique index visit_appointment on visit (org_id, ehr, appointment_index) where appointment_index is not null;

-- Each stage held and since when: Encounter.statusHistory is made of these.
create table visit_stage (
  visit_id uuid not null references visit,
  org_id   uuid not null references organisation,
  stage    text not null,
  at       timestamptz not null,
  actor_id uuid,
  reason   text not null default '',
  primary key (visit_id, at, stage)
);

-- Who takes part: the ids that media and signalling know.
create table participant (
  id        uuid primary key,
  org_id    uuid not null references organisation,
  visit_id  uuid not null references visit,
  role      text not null,
  staff_id  uuid references staff,
  label_sealed bytea,                    -- a guest's name, shown in the room
  joined_at timestamptz,
  left_at   timestamptz,
  constraint participant_role_known check (role in ('clinician','patient','guest')),
  constraint participant_once unique nulls not distinct (visit_id, role, staff_id, label_sealed)
);

create table consent (
  visit_id       uuid not null references visit,
  org_id         uuid not null references organisation,
  participant_id uuid not null references participant,
  kind           text not null default 'recording',
  answer         text not null,
  at             timestamptz not null,
  primary key (visit_id, participant_id, kind, at),
  constraint consent_answer_known check (answer in ('yes','no','ask'))
);

-- One-time links: only a hash of the secret is kept.
create table join_link (
  id           uuid primary key,
  org_id       uuid not null references organisation,
  visit_id     uuid not null references visit,
  participant_id uuid not null references participant,
  kind         text not null,
  secret_hash  bytea not null,
  secret_sealed bytea,                   -- so that the scheduler can copy the link again while it is valid
  role_label   text not null default '',
  expires_at   timestamptz not null,
  failures     int not null default 0,
  locked_until timestamptz,
  revoked_at   timestamptz,
  created_at   timestamptz not null,
  constraint join_link_kind_known check (kind in ('patient','guest')),
  constraint join_link_failures_counted check (failures >= 0)
);
create index join_link_visit on join_link (visit_id);

create function join_link_org(link uuid) returns uuid
  language sql stable security definer set search_path = public
  as $$ select org_id from join_link where id = link $$;
create function room_org(room uuid) returns uuid
  language sql stable security definer set search_path = public
  as $$ select org_id from visit where room_id = room $$;

select guard('visit'), guard('participant'), guard('consent'), guard('join_link');
select isolate('visit'), isolate('visit_stage'), isolate('participant'), isolate('consent'), isolate('join_link');
grant select, insert, update on visit, participant, join_link to televisit_app;
grant select, insert on visit_stage, consent to televisit_app;

---- create above / drop below ----
drop table join_link, consent, participant, visit_stage, visit;
