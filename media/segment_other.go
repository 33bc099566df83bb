//go:build !linux

package media

import (
	"errors"
	"net"
	"net/netip"
)

func canSegment(*net.UDPConn) bool { return false }

func sendSegments(*net.UDPConn, []byte, int, netip.AddrPort) error { return errors.ErrUnsupported }

func segmentRefused(error) bool { return true }
