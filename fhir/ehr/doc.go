// Package ehr is the client of a foreign EHR's FHIR R4 server, over TLS.
//
// It owns the requests, the limits of size, depth and time, and the sorting of failures into what may be tried again and what
// may not. Resources stay the bytes that the EHR sent: nothing is decoded into structs that would drop what they do not
// know. It imports identity/phi and the standard library. It never sends its token to another host, never follows a redirect,
// never puts a patient's data into a URL that it makes, an error or a log line, and decides nothing about retries.
package ehr
