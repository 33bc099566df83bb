package media

import (
	"net"
	"syscall"
)

// growReceiveBuffer asks for size bytes and returns what the kernel gave. With
// CAP_NET_ADMIN the request may exceed net.core.rmem_max.
func growReceiveBuffer(conn *net.UDPConn, size int) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	got := 0
	var inner error
	err = raw.Control(func(fd uintptr) {
		if syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, size) != nil {
			inner = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size)
		}
		if inner == nil {
			got, inner = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
		}
	})
	if err == nil {
		err = inner
	}
	return got / 2, err // the kernel reports twice the payload it holds
}
