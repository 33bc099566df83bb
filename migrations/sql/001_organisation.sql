-- Organisations, their data keys, and the people who sign in.
-- The schema owner runs migrations; televisit_app is what the server connects as: it owns nothing and row-level
-- security confines it to the organisation named by the setting televisit.org.

create extension if not exists btree_gist;

do $$
begin
  if not exists (select from pg_roles where rolname = 'televisit_app') then
    create role televisit_app login;
  end if;
end
$$;

create function current_org() returns uuid
  language sql stable
  as $$ select nullif(current_setting('televisit.org', true), '')::uuid $$;

create table organisation (
  id          uuid primary key,
  name        text not null,
  time_zone   text not null default 'UTC',
  wrapped_key bytea not null,
  created_at  timestamptz not null,
  constraint organisation_name_present check (name <> '')
);

-- A person who works for the organisation. Names and e-mail are sealed; the indexes are keyed hashes.
create table staff (
  id                 uuid primary key,
  org_id             uuid not null references organisation,
  roles              text[] not null,
  name_sealed        bytea,               -- null until a sign-in tells it
  practitioner_sealed bytea,              -- "EHR name|Practitioner/id"
  practitioner_index bytea,
  subject_index      bytea,              -- issuer|sub of the identity provider
  time_zone          text not null default 'UTC',
  active             boolean not null default true,
  created_at         timestamptz not null,
  updated_at         timestamptz not null,
  constraint staff_roles_known check (roles <@ array['clinician','scheduler','compliance','admin']::text[]),
  constraint staff_practitioner_once unique (org_id, practitioner_index),
  constraint staff_subject_once unique (org_id, subject_index)
);

-- What of a patient is needed to run a visit; the chart stays in the EHR.
create table patient (
  id                uuid primary key,
  org_id            uuid not null references organisation,
  ehr               text not null,
  reference_sealed  bytea not null,      -- "Patient/id" at that EHR
  reference_index   bytea not null,
  name_sealed       bytea not null,
  birth_date_sealed bytea not null,
  details_sealed    bytea,               -- JSON: pronoun, gender, MRN, phone, e-mail
  language          text not null default 'en',
  fetched_at        timestamptz not null,
  constraint patient_reference_once unique (org_id, ehr, reference_index)
);

---- create above / drop below ----
drop table patient;
drop table staff;
drop table organisation;
drop function current_org();
