// Package audit is the only door to the database's writes, and the proof of what went through it.
//
// DB holds the connection pool and gives it to nobody. Do runs a command and inserts its event in the same
// transaction; View does the same for a read of health information; Read is for what identifies nobody. A refusal
// commits an event of its own. A sealer gathers committed events into one Merkle log for each organisation
// (golang.org/x/mod/sumdb/tlog) with signed checkpoints, archived outside the database; Verify names any row that was
// edited, removed or slipped in. It imports pgx and x/mod; it never knows what the commands mean.
package audit
