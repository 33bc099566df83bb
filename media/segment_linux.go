package media

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// From linux/udp.h.
const (
	solUDP     = 17
	udpSegment = 103
)

// canSegment reports whether the kernel knows UDP segmentation offload.
func canSegment(socket *net.UDPConn) bool {
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	known := false
	err = raw.Control(func(fd uintptr) {
		_, err := syscall.GetsockoptInt(int(fd), solUDP, udpSegment)
		known = err == nil
	})
	return err == nil && known
}

// sendSegments sends data as datagrams of size segment in one call.
func sendSegments(socket *net.UDPConn, data []byte, segment int, to netip.AddrPort) error {
	var control [24]byte // CMSG_SPACE(sizeof(uint16))
	binary.NativeEndian.PutUint64(control[0:], uint64(syscall.CmsgLen(2)))
	binary.NativeEndian.PutUint32(control[8:], solUDP)
	binary.NativeEndian.PutUint32(control[12:], udpSegment)
	binary.NativeEndian.PutUint16(control[16:], uint16(segment))
	_, _, err := socket.WriteMsgUDPAddrPort(data, control[:], to)
	return err
}

// segmentRefused tells a network card without checksum offload, or a path
// whose MTU the packets exceed, from errors that concern one client.
func segmentRefused(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EINVAL)
}
