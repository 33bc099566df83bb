// Package fhirapi is the FHIR R4 door for other systems: booking, reading, searching, moving and cancelling
// Appointments, the Patient and Practitioner that they point to, and the audit trail as AuditEvents.
//
// It owns the table of routes, from which the CapabilityStatement is made, the negotiation of FHIR over HTTP, the SMART
// scopes (v2 and v1), and what an error looks like as an OperationOutcome. Clients come with a bearer token of a
// configured issuer; a compliance officer may read the trail with a signed-in session.
//
// It imports api, audit, fhir, identity, scheduling, gin and json-patch. The rules of visits are scheduling's. It never
// puts a value that a client sent into an error, and logs nothing of a request but its route.
package fhirapi
