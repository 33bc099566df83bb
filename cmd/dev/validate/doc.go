// Package validate checks FHIR R4 resources with a validator that this project did not write: HAPI FHIR around HL7's
// own validation core, run as a Java program over any number of resources at once.
//
// It owns the Java program (java/, pinned by pom.xml), which it builds once into a cache folder, and profiles/: the
// rules of US Core and IHE BALP restated as constraints, because their packages are on no registry that a build can
// reach. It needs Java 17 and Maven and says so when they are missing; it never skips.
//
// Imports: the standard library and x/tools/txtar. It is a tool of the tests, never part of the server.
package validate
