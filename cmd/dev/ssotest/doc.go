// Package ssotest runs identity/sso, identity and fhir/ehr against the sandbox EHR and its staff identity provider, in one
// process and over TLS. It owns tests alone, because those packages may not import the sandbox; nothing imports it.
package ssotest
