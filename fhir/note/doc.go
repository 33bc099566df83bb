// Package note is the clinician's note: drafts that two tabs cannot silently overwrite, the exact bytes that are
// signed, the signature over them, and what is added after.
//
// What is signed is canonical JSON (sorted keys, no insignificant whitespace, UTF-8) of the note together with the facts
// of the visit: times, participants, consent, attestation. Review gives those bytes and their SHA-256; Sign takes the
// SHA-256 back and signs only what was shown. The signature is a detached JWS (RFC 7515 appendix F, ES256). Plain text
// and HTML are rendered from the signed bytes and from nothing else. Signing, the visit's transition, the deliveries and
// their jobs are one transaction. A signed note is never changed: an addendum or a correction follows it.
//
// It imports audit, identity/phi, scheduling/visit, go-jose and pgx. It never talks to an EHR, never makes FHIR
// resources and never keeps a signing key.
package note
