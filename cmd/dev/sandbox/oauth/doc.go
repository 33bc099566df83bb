// Package oauth is what the sandbox's two authorization servers share: it fits the
// certified OpenID Provider library zitadel/oidc to this hospital, with private_key_jwt
// by ES384 and RS384, mandatory PKCE S256, single-use codes, refresh rotation that
// revokes a grant on reuse, and authorization requests bound to the browser they began in.
//
// It imports zitadel/oidc, go-jose and the sandbox's accounts and reqlog packages. It
// renders no page (the chart's login page does) and knows nothing of FHIR: a Profile
// adds what SMART or the staff identity provider needs.
package oauth
