// Package faults holds the faults a tester has asked the sandbox to commit: errors,
// delays, lost answers and the refusals known from real EHRs. It only decides which
// fault is due; the FHIR server commits it. It imports only the standard library.
package faults
