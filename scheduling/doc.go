// Package scheduling is when and with whom: it books, moves and cancels visits, runs them from arrival to the end of
// the call, keeps consent, recordings and deliveries, and answers what the pages ask of them.
//
// Every command is one transaction {rows, audit event, job rows}. What may happen is decided by package visit; that
// two visits of one clinician never overlap is decided by the database. What a patient said or is called is sealed
// before it reaches SQL and opened after it; nothing in here looks into it.
//
// Who may do what is checked by the caller (identity.Can); which organisation's rows exist at all is confined by
// row-level security under the actor's organisation.
//
// It imports audit, identity/phi, scheduling/visit, scheduling/job and pgx. It never imports fhir, media or api, never
// calls an EHR, and never tells anyone of a change before it is committed.
package scheduling
