// Package smart is the SMART App Launch 2.2 authorization server of the sandbox hospital:
// EHR launch, standalone launch and Backend Services, with launch tokens, launch context
// and the scopes that guard the FHIR server. It imports the sandbox's oauth, accounts,
// scope and fhirserver packages; OAuth itself is the library's work, in package oauth.
package smart
