// Package sso lets people in on the word of an EHR (SMART App Launch 2.2) or of an identity provider (OpenID Connect).
//
// It owns both code flows with PKCE, the flow's state bound to the browser that began it, the verification of id_tokens, the
// client's signing keys and their JWKS, the launch's grant with its refresh, and the Backend Services token. It imports
// audit, identity, go-oidc, go-jose and x/oauth2. It never decides what somebody may do, never begins a session and never
// reads from an EHR's FHIR base: it fetches only discovery documents, key sets and tokens, of configured parties.
package sso
