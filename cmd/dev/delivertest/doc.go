// Package delivertest holds no code but tests: the write-back of fhir/deliver against the sandbox EHR's own FHIR server,
// with that server failing in every way it knows, and with the writing process killed in the middle of a request.
//
// It lives below cmd because it joins the product with the sandbox, which only cmd may import.
package delivertest
