// Package recorder owns recordings: from the packets of a call to files that play and seek, never in the clear on a disk
// that outlives the work.
//
// During the call a [Session] is one more subscriber. Each track has a bounded queue, a goroutine of its own and an
// append-only log, cut into segments of at most two seconds. A log is encrypted before it reaches the disk, in chunks of
// a quarter of a second, so that a killed process loses less than the open segment. Closed segments are synced, uploaded, verified and only
// then removed from the spool. Nothing is decoded, and nothing ever waits for the disk or the store on the call's path.
//
// After the call [Recorder.Finalize] reads the segments back, puts all tracks on one timeline (arrival times and RTCP
// sender reports, RFC 3550 section 6.4), writes a file for each participant (copied, not decoded) and one composite (side
// by side, mixed sound), and stores them encrypted in chunks that are opened one by one ([Recorder.OpenRange]).
//
// One data key for each recording, which [Keys] gives on demand: it is held in memory while a session, a
// finalisation or a playback lasts, and no form of it, wrapped or not, is written by this package. Destroying the wrapped key makes
// spool, segments, files and manifest unreadable. Every ciphertext is bound to what it is (recording, track, sequence,
// position) as associated data: pieces cannot be swapped, repeated or cut out unnoticed.
//
// Imports: media/packet, media/blob (its Info and errors), pion/rtp to depacketise, ebml-go to write Matroska; it runs ffmpeg.
//
// Never: it does not decide who may record or play (callers ask for consent and permission first), it knows no visit, no
// name and no SQL (it reports facts to [Facts]), and object keys hold UUIDs and numbers alone.
package recorder
