// Package turn owns the embedded TURN server (RFC 8656): UDP, TCP and TLS listeners, short-lived credentials, and the rule that
// it relays to the media nodes' own addresses and to nothing else.
//
// It is the one place that imports pion/turn/v3. That library admits every peer address by default, and knows no quota, no
// lifetime and no events; all of these are here, around its authentication, permission and relay-address hooks:
//
//   - a peer is checked when a permission or channel is asked for (address) and again for every datagram in both directions
//     (address and port), so that a relay is no way into the host or its network;
//   - a credential is made for one participant, valid for minutes, known to this process, limited in its allocations, and can be
//     revoked; its user name holds the expiry and a random word (draft-uberti-behave-turn-rest-00), never an identifier;
//   - an expired credential keeps the allocation it has, so that a long call is not cut, up to a longest lifetime;
//   - each TCP or TLS connection is its own instance of the library: requests of one client are handled one after another, which
//     is how a relay is known to belong to a credential.
//
// Imports: pion/turn/v3, pion/logging.
//
// Never: it does not know rooms or visits, it logs no address and no user name, and the library's own log, which holds both, is discarded.
package turn
