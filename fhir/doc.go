// Package fhir is the pure mapping between Televisit's own facts and FHIR R4 (4.0.1) JSON.
//
// Outbound, each function is total: it takes a small struct of this package, whatever its values, and gives the bytes of
// one resource: Appointment, Encounter (US Core), DocumentReference for the signed note (US Core) and for the
// recording, AuditEvent (IHE BALP), OperationOutcome, Bundle, CapabilityStatement, Patient, Practitioner. They are
// built with the structs of samply/golang-fhir-models and never read with them, because those drop contained resources,
// extensions of primitives and fields they do not know. Inbound, ReadAppointment reads the raw JSON strictly, and
// OverlayAppointment and MergeEncounter lay our fields over a resource that somebody else owns, keeping the rest.
//
// Imports: identity/phi, scheduling/visit, audit (its Row), samply, uuid. It may Reveal patient values: its output is
// meant for the EHR or an authorised client.
//
// Never: no clock, no network, no database, no logging.
package fhir
