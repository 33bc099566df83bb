// Package fhirserver is the FHIR R4 server of the sandbox hospital: read, vread,
// history, search, create, conditional create, update and JSON Patch over the few
// resource types a virtual visit touches, strict on writes as a hospital's server is.
//
// What it was sent is kept byte for byte in an append-only journal; what it serves is
// those bytes with id and meta laid over. It imports the sandbox's scope, faults and
// reqlog packages and evanphx/json-patch. It never models resources as Go structs,
// never deletes, and knows no OAuth: an Authorizer tells it what a request may do.
package fhirserver
