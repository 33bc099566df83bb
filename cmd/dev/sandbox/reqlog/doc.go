// Package reqlog keeps the last requests the sandbox answered, as method, path
// template, status and client, for the administration interface. It imports only
// the standard library and never keeps a query, a body, an identifier or a token.
package reqlog
