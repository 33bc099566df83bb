//go:build !linux

package media

import "net"

func growReceiveBuffer(conn *net.UDPConn, size int) (int, error) {
	return size, conn.SetReadBuffer(size)
}
