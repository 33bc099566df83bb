// Package sandbox is a stand-in for a hospital's EHR, strict where real ones are: a FHIR
// R4 server, a SMART App Launch 2.2 authorization server, a staff identity provider and
// a small chart, with synthetic people and faults on request.
//
// It imports its own packages below this folder and nothing else of this module: to the
// server under test it is somebody else's product. It never holds real data.
package sandbox
