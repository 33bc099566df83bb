-- Sign-in flows, sessions, EHR grants, and the tokens that may be used once.

create table login_flow (
  state_hash    bytea primary key,
  org_id        uuid not null references organisation,
  kind          text not null,           -- 'smart-ehr', 'smart-standalone', 'sso'
  connection    text not null,           -- name of the EHR or SSO connection
  browser_hash  bytea not null,          -- the cookie that began it
  secrets_sealed bytea not null,         -- JSON: verifier, nonce, launch, return path
  created_at    timestamptz not null,
  expires_at    timestamptz not null,
  used_at       timestamptz,
  constraint login_flow_kind_known check (kind in ('smart-ehr','smart-standalone','sso'))
);
create function login_flow_org(state bytea) returns uuid
  language sql stable security definer set search_path = public
  as $$ select org_id from login_flow where state_hash = state $$;

create table session (
  id           uuid primary key,
  org_id       uuid not null references organisation,
  secret_hash  bytea not null,
  kind         text not null,            -- staff, patient, guest
  staff_id     uuid references staff,
  visit_id     uuid references visit,    -- patients and guests: the only visit they may touch
  link_id      uuid references join_link,
  participant_id uuid references participant,
  roles        text[] not null default '{}',
  connection   text not null default '',
  grant_id     uuid,
  csrf         text not null,
  auth_time    timestamptz not null,
  acr          text not null default '',
  issuer_session text not null default '',
  created_at   timestamptz not null,
  expires_at   timestamptz not null,
  ended_at     timestamptz,
  constraint session_secret_once unique (secret_hash),
  constraint session_kind_known check (kind in ('staff','patient','guest')),
  constraint session_staff_named check ((kind = 'staff') = (staff_id is not null)),
  constraint session_patient_bound check (kind = 'staff' or (visit_id is not null and participant_id is not null))
);

-- When a session was last used: apart from it and unguarded, because using a session is no event.
create table session_activity (
  session_id uuid primary key references session,
  org_id     uuid not null references organisation,
  seen_at    timestamptz not null
);

create index session_staff on session (staff_id) where ended_at is null;

-- Tokens that an EHR gave for a clinician's launch. Sealed whole.
create table ehr_grant (
  id            uuid primary key,
  org_id        uuid not null references organisation,
  ehr           text not null,
  staff_id      uuid not null references staff,
  visit_id      uuid references visit,
  tokens_sealed bytea not null,          -- JSON: access, refresh, scope, context
  expires_at    timestamptz not null,
  created_at    timestamptz not null,
  updated_at    timestamptz not null,
  revoked_at    timestamptz
);

create table room_token_use (
  jti        uuid primary key,
  org_id     uuid not null references organisation,
  used_at    timestamptz not null,
  expires_at timestamptz not null
);

select guard('session'), guard('ehr_grant');
select isolate('login_flow'), isolate('session'), isolate('session_activity'), isolate('ehr_grant'), isolate('room_token_use');
grant select, insert, update, delete on login_flow, room_token_use to televisit_app;
grant select, insert, update on session, session_activity, ehr_grant to televisit_app;

---- create above / drop below ----
drop table room_token_use, ehr_grant, session_activity, session, login_flow;
drop function login_flow_org(bytea);
