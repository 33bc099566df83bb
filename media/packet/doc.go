// Package packet holds the pure parts of media forwarding: reading an RTP
// header in place, remembering packets for repair, mapping sequence numbers
// and timestamps from a source to a subscriber, finding key frames, and
// rewriting the VP8 payload descriptor.
//
// It owns no socket, no goroutine and no clock: time arrives as an argument.
// It imports only the standard library and google/uuid, and allocates nothing
// for a packet in the steady state. It never decodes media and never logs.
//
// The recording tap's types live here too, so that a recorder can be written
// without importing the media package.
package packet
