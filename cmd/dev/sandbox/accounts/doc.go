// Package accounts is the people who work at the sandbox hospital: who they are, their
// passwords and their browser sessions. One session serves the chart, the SMART
// authorization server and the staff identity provider alike. It imports only
// golang.org/x/crypto and the standard library, and never issues a token.
package accounts
