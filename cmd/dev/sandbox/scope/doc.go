// Package scope parses SMART App Launch 2.2 resource scopes and decides what a
// set of them permits. It is pure: it imports only the standard library, and it
// never sees a token, a request or a resource.
package scope
