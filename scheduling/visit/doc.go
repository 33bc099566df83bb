// Package visit is the life of a video visit as a pure function: four small states, one table of transitions, one
// Apply. It owns what may happen next; it imports nothing but the standard library and uuid. It never reads a clock,
// a database or FHIR.
package visit
