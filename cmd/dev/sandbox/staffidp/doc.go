// Package staffidp is the hospital's staff identity provider: plain OpenID Connect for
// applications that staff sign in to without a chart. It imports the sandbox's oauth and
// accounts packages; it grants no access to FHIR.
package staffidp
