// Package job is the one place that knows River, the job queue that lives in PostgreSQL.
//
// It owns the schema "river", the kinds of jobs, and how a job is enqueued, retried and rescued. Insert takes the
// caller's transaction, so that a job exists exactly when the change that asked for it does. A job carries ids and
// nothing else. Delivery is at least once: whoever handles a kind must tolerate a repetition, though never two at a
// time for the same id, because a session lock in the database is held while one works. The same lock tells, within
// seconds, that a worker died.
//
// It imports river, pgx and uuid. It never knows what a job does, and never stores or logs an error's detail: the
// queue's tables hold ids, times and codes.
package job
