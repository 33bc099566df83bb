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
// Between the socket and pion stands our own UDP mux (udpMux): it hands
// datagrams over without copies, and packets of one frame leave in one system
// call (burst). Sequence numbers never repeat for different bytes under one
// SSRC, which AES-GCM demands: duplicates stop at the cache, the rewriter maps
// one to one, and a packet repeated on its own SSRC is the same to the byte.
//
// A process that is mainly a media node does well with GOGC=200 and GOMEMLIMIT
// at three quarters of its memory: the live heap is small (about half a
// megabyte a participant) and rarer collections shorten the tail.
//
// It knows no visit, no SQL and no HTTP. It imports media/packet and pion, and
// reports what happens to the Reports interface. It never decodes media, and
// never logs ids, addresses, SDP or candidates.
package media
