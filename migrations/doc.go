// Package migrations is the schema: numbered SQL files, embedded, applied by tern.
//
// It owns every table, constraint, policy and grant. It imports pgx and tern. It never holds a query of a command:
// those stand beside their command.
package migrations
