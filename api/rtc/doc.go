// Package rtc is the signalling door: the WebSocket at GET /rtc. It owns sockets and room tokens; what the messages mean
// to a call is package media's.
//
// A connection begins with hello and a room token within five seconds; the token is redeemed once and never travels in a
// URL. From then on every message goes to the participant's media.Peer, except renew, ping and bye, which are answered
// here. A socket that says bye leaves; one that just ends is lost, and its participant may come back with a new token and
// the secret of its welcome. Each connection has one reader and one writer with a bounded queue; a client that does not
// keep up is disconnected and resumes, and one that says nothing for ten seconds, not even ping, is lost.
//
// It imports media, identity, identity/join, gin and coder/websocket. It never sees a name, never logs a message's
// content, a token or an address, and issues no token itself.
package rtc
