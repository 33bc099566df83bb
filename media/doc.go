// Package media is the call: a selective forwarding unit with rooms.
//
// A Node owns one UDP port, an optional ICE-TCP port and its rooms. A Room is
// one goroutine with a mailbox. A Peer is one participant in one room; it has
// one PeerConnection, and its client always makes the offer. A publication is
// one track that a peer sends, a slot is one media section on which a peer
// receives; a slot's source changes without renegotiation, because its SSRC is
// ours and sequence numbers and timestamps are rewritten for it.
//
// The path of a packet: pion decrypts it on the publisher's SRTP goroutine and
// hands it to our buffer factory, which is called in that same goroutine; there
// the packet is remembered once and written, re-encrypted, to each subscriber.
// A transport that has no room refuses the packet at once and the slot waits
// for the next key frame, so no subscriber can hold up another. There are no
// pion interceptors: repairs, reports and congestion feedback are made here,
// driven by arrivals instead of timers.
//
// It knows no visit, no SQL and no HTTP. It imports media/packet and pion, and
// reports what happens to the Reports interface. It never decodes media, and
// never logs ids, addresses, SDP or candidates.
package media
