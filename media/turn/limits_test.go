package turn_test

import (
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/turn"
)

func TestQuotas(t *testing.T) {
	f := setUp(t, func(c *turn.Config) { c.AllocationsPerCredential, c.MaxAllocations = 2, 5 })
	participant := uuid.New()
	allocate := func(username, password, transport string) error {
		relayed, err := newClient(t, f, transport, username, password).Allocate()
		if err == nil {
			t.Cleanup(func() { relayed.Close() })
		}
		return err
	}
	first, firstPassword := f.Credentials(participant, time.Minute)
	for i, transport := range []string{"udp", "tcp"} {
		if err := allocate(first, firstPassword, transport); err != nil {
			t.Fatalf("allocation %d: %v", i, err)
		}
	}
	if err := allocate(first, firstPassword, "tls"); err == nil || !strings.Contains(err.Error(), "508") {
		t.Errorf("third allocation of a credential: %v, want 508", err)
	}
	second, secondPassword := f.Credentials(participant, time.Minute)
	for range 2 {
		if err := allocate(second, secondPassword, "udp"); err != nil {
			t.Fatal(err)
		}
	}
	third, thirdPassword := f.Credentials(uuid.New(), time.Minute)
	if err := allocate(third, thirdPassword, "udp"); err != nil {
		t.Fatal(err)
	}
	if err := allocate(third, thirdPassword, "udp"); err == nil {
		t.Error("the sixth allocation of five")
	}
	if s := f.Stats(); s.Allocations != 5 || s.RefusedQuota != 2 {
		t.Errorf("%+v", s)
	}
	f.Revoke(participant)
	if s := f.Stats(); s.Allocations != 1 {
		t.Errorf("after Revoke: %+v", s)
	}
	if err := allocate(third, thirdPassword, "tcp"); err != nil {
		t.Errorf("a place that was freed is not given: %v", err)
	}
}

func TestClosingAllocationsFreesThem(t *testing.T) {
	f := setUp(t, func(c *turn.Config) { c.AllocationsPerCredential = 1 })
	username, password := f.Credentials(uuid.New(), time.Minute)
	eachTransport(t, func(t *testing.T, transport string) {
		for range 3 {
			c := newClient(t, f, transport, username, password)
			relayed := c.allocate(t)
			if err := relayed.Close(); err != nil { // a Refresh with lifetime 0
				t.Fatal(err)
			}
			until(t, func() bool { return f.Stats().Allocations == 0 })
		}
		if transport == "udp" {
			return
		}
		c := newClient(t, f, transport, username, password)
		c.allocate(t)
		c.conn.Close() // the browser is gone
		until(t, func() bool { return f.Stats().Allocations == 0 })
	})
}

// until waits for what happens soon, and fails if it never does.
func until(t *testing.T, happened func() bool) {
	t.Helper()
	for range 1000 {
		if happened() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it never happened")
}

func TestLongestLifetime(t *testing.T) {
	f := setUp(t, func(c *turn.Config) { c.MaxLifetime = 200 * time.Millisecond })
	username, password := f.Credentials(uuid.New(), time.Minute)
	newClient(t, f, "udp", username, password).allocate(t)
	until(t, func() bool { return f.Stats().Allocations == 0 })
	if s := f.Stats(); s.ExpiredAllocations != 1 {
		t.Errorf("%+v", s)
	}
}

func TestConnectionLimit(t *testing.T) {
	f := setUp(t, func(c *turn.Config) { c.MaxConnections = 2 })
	for range 2 {
		conn, err := net.Dial("tcp", f.TCPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	until(t, func() bool {
		conn, err := net.Dial("tcp", f.TLSAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return f.Stats().RefusedQuota > 0
	})
}

func TestGarbage(t *testing.T) {
	f := setUp(t, nil)
	// 20 + 65516 overflows 16 bits: the library's own framing would loop over it for ever.
	stuck := "\x00\x01\xff\xec\x21\x12\xa4\x42" + strings.Repeat("t", 12)
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", strings.Repeat("\xff", 5000), "\x00\x03\xff\xff" + strings.Repeat("x", 3000), "\x40\x00\xff\xff", stuck} {
		udp, err := net.Dial("udp", f.UDPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = udp.Write([]byte(garbage[:min(len(garbage), 1400)]))
		udp.Close()
		for _, addr := range []netip.AddrPort{f.TCPAddr(), f.TLSAddr()} {
			conn, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write([]byte(garbage))
			conn.Close()
		}
	}
	if err := f.SelfTest(background(t)); err != nil {
		t.Errorf("after garbage: %v", err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	f := setUp(t, nil)
	for says, change := range map[string]func(*turn.Config){
		"no listener": func(c *turn.Config) { c.UDPAddr = "" },
		"certificate": func(c *turn.Config) { c.TLSAddr = "127.0.0.1:0" },
		"relay":       func(c *turn.Config) { c.RelayIP = netip.Addr{} },
		"IPv4":        func(c *turn.Config) { c.RelayIP = netip.IPv6Loopback() },
		"peers":       func(c *turn.Config) { c.AllowedPeers = nil },
		"secret":      func(c *turn.Config) { c.Secret = []byte("short") },
		"realm":       func(c *turn.Config) { c.Realm = "" },
	} {
		c := turn.Config{UDPAddr: "127.0.0.1:0", RelayIP: loopback, AllowedPeers: f.peers.allowed, Secret: []byte(secret), Realm: "r", Log: nil}
		change(&c)
		if _, err := turn.New(c); !errors.Is(err, turn.ErrConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want ErrConfig with %q", err, says)
		}
	}
	if urls := strings.Join(f.URLs("turn.example.org"), " "); !regexp.MustCompile(`^turn:turn\.example\.org:\d+\?transport=udp turn:turn\.example\.org:\d+\?transport=tcp turns:turn\.example\.org:\d+\?transport=tcp$`).MatchString(urls) {
		t.Errorf("URLs %s", urls)
	}
}
