// Package deliver brings what happened in a visit into the EHR: the Appointment that was booked, the Encounter, the
// signed note and where the recording is.
//
// It is at-least-once work made exactly-once: each delivery carries its own identifier (urn:uuid:<delivery id>), is
// marked as sent before the request goes out, and is created conditionally on that identifier, or looked for by it
// before it is tried again where the EHR knows no conditional create. An answer that never came is therefore found
// out, never guessed. Every request, its bytes sealed and their fingerprint, is kept in a ledger.
//
// It imports audit, fhir, fhir/note, identity/phi, scheduling, scheduling/job and scheduling/visit. It never decides what
// a visit is, and puts nothing that an EHR answered into an error or a log but status and issue codes.
package deliver
