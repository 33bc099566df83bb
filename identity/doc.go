// Package identity says who acts and what they may do.
//
// It owns the principals and their roles, the one policy table behind Can, the sessions kept on the server, the people who
// work for an organisation, and the sealers of each organisation's columns. It imports audit, identity/phi and
// identity/keys. It never speaks to an identity provider (identity/sso does), never makes a link (identity/join does) and
// knows neither HTTP nor FHIR.
package identity
