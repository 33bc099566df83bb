// Package join brings patients and guests into one visit, and everybody into its room.
//
// It owns the links: a random secret carried in the URL's fragment, of which the database keeps a digest (and a sealed copy,
// so that a scheduler may copy the link again), the proof by date of birth, and the lock-out after wrong tries. It owns the
// room tokens: signed, five minutes, used once, bound to room, participant and role. It imports audit, identity,
// identity/phi and go-jose. It never sees a socket, and it never sends a link to anybody.
package join
