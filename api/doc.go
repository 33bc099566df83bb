// Package api is the doors: the engine with its middleware, the table that turns errors into answers, and the list of
// routes with the action that each declares. Packages api/web, api/fhirapi and api/rtc register their handlers with
// it and import it; it imports none of them. It imports gin, prometheus, identity and audit. It never renders a
// page, holds no rule of the domain, and never logs an address, a name or a URL.
package api
