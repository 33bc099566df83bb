package turn_test

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/turn"
)

func TestRelayOverEveryTransport(t *testing.T) {
	f := setUp(t, nil)
	echo, _ := startEcho(t)
	f.peers.add(echo)
	eachTransport(t, func(t *testing.T, transport string) {
		username, password := f.Credentials(uuid.New(), time.Minute)
		relayed := newClient(t, f, transport, username, password).allocate(t)
		for i := range 20 {
			if err := exchange(t, relayed, echo, "datagram "+strconv.Itoa(i)); err != nil {
				t.Fatalf("datagram %d: %v", i, err)
			}
		}
		if relayed.LocalAddr().(*net.UDPAddr).AddrPort().Addr() != loopback {
			t.Errorf("relay at %v", relayed.LocalAddr())
		}
	})
	if s := f.Stats(); s.AllocationsCreated != 3 || s.RelayedToPeers == 0 || s.RelayedToClients != s.RelayedToPeers || s.RefusedPeer+s.RefusedQuota+s.RefusedCredential+s.DroppedDatagrams != 0 {
		t.Errorf("%+v", s)
	}
}

func TestUsernameHoldsNoIdentifier(t *testing.T) {
	f := setUp(t, nil)
	participant := uuid.New()
	seen := map[string]bool{}
	for range 100 {
		username, password := f.Credentials(participant, 5*time.Minute)
		match := regexp.MustCompile(`^([0-9]{10}):[a-z2-7]{26}$`).FindStringSubmatch(username)
		if match == nil || seen[username] {
			t.Fatalf("user name %q", username)
		}
		seen[username] = true
		expiry, _ := strconv.ParseInt(match[1], 10, 64)
		if until := time.Until(time.Unix(expiry, 0)); until < 4*time.Minute || until > 6*time.Minute {
			t.Errorf("valid for %v", until)
		}
		for _, id := range []string{participant.String(), strings.ReplaceAll(participant.String(), "-", ""), hex.EncodeToString(participant[:4])} {
			if strings.Contains(username+password, id) {
				t.Errorf("%q holds the participant", username)
			}
		}
	}
	if username, _ := f.Credentials(participant, 100*time.Hour); !strings.HasPrefix(username, strconv.FormatInt(f.clock.now().Add(turn.MaxTTL).Unix(), 10)[:8]) {
		t.Errorf("%q is valid for too long", username)
	}
}

// A relay must be no way into the host or its network.
func TestForeignPeersAreRefused(t *testing.T) {
	f := setUp(t, nil)
	node, _ := startEcho(t)
	other, otherReceived := startEcho(t) // another service on the media node's own address
	f.peers.add(node)
	eachTransport(t, func(t *testing.T, transport string) {
		username, password := f.Credentials(uuid.New(), time.Minute)
		c := newClient(t, f, transport, username, password)
		relayed := c.allocate(t)
		for _, foreign := range []string{
			"127.0.0.2:53", "10.0.0.1:80", "192.168.1.1:443", "169.254.169.254:80", "172.16.0.1:5432", "0.0.0.0:22", "8.8.8.8:53",
			"255.255.255.255:1", "224.0.0.1:5353", "100.64.0.1:1",
		} {
			before := f.Stats()
			if err := c.CreatePermission(net.UDPAddrFromAddrPort(netip.MustParseAddrPort(foreign))); err == nil {
				t.Errorf("a permission for %s was given", foreign)
			}
			if f.Stats().RefusedPeer == before.RefusedPeer {
				t.Errorf("%s was not counted as refused", foreign)
			}
			if err := exchange(t, relayed, netip.MustParseAddrPort(foreign), "attack"); err == nil {
				t.Errorf("%s answered", foreign)
			}
		}
		// The address is the node's, so the permission is given; the port is another service's.
		if err := c.CreatePermission(net.UDPAddrFromAddrPort(other)); err != nil {
			t.Fatal(err)
		}
		dropped := f.Stats().DroppedDatagrams
		if _, err := relayed.WriteTo([]byte("attack"), net.UDPAddrFromAddrPort(other)); err != nil {
			t.Fatal(err)
		}
		// The answer of the node proves that the datagram before it was handled.
		if err := exchange(t, relayed, node, "to the node"); err != nil {
			t.Fatal(err)
		}
		if f.Stats().DroppedDatagrams == dropped {
			t.Error("the datagram to another port was not dropped")
		}
		// And from there: whoever is not the node cannot reach the client through the relay.
		dropped = f.Stats().DroppedDatagrams
		stranger, err := net.DialUDP("udp4", nil, relayed.LocalAddr().(*net.UDPAddr))
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
		if _, err := stranger.Write([]byte("inbound attack")); err != nil {
			t.Fatal(err)
		}
		if err := exchange(t, relayed, node, "to the node again"); err != nil {
			t.Error(err)
		}
		if f.Stats().DroppedDatagrams == dropped {
			t.Error("the stranger's datagram was not dropped")
		}
	})
	if n := otherReceived.Load(); n != 0 {
		t.Errorf("another service received %d datagrams", n)
	}
}

func TestCredentialsThatAreRefused(t *testing.T) {
	f := setUp(t, nil)
	username, password := f.Credentials(uuid.New(), time.Minute)
	expired, expiredPassword := f.Credentials(uuid.New(), -time.Second)
	revokedParticipant := uuid.New()
	revoked, revokedPassword := f.Credentials(revokedParticipant, time.Minute)
	f.Revoke(revokedParticipant)
	later, _, _ := strings.Cut(username, ":")
	seconds, _ := strconv.ParseInt(later, 10, 64)
	prolonged := strconv.FormatInt(seconds+3600, 10) + strings.TrimPrefix(username, later)
	eachTransport(t, func(t *testing.T, transport string) {
		for name, c := range map[string][2]string{
			"wrong password": {username, password + "x"}, "expired": {expired, expiredPassword}, "revoked": {revoked, revokedPassword},
			"unknown": {"9999999999:unknown", password}, "prolonged": {prolonged, password}, "empty": {"", ""}, "no expiry": {"x", "y"},
		} {
			if relayed, err := newClient(t, f, transport, c[0], c[1]).Allocate(); err == nil {
				relayed.Close()
				t.Errorf("%s: allocated", name)
			}
		}
		newClient(t, f, transport, username, password).allocate(t) // the right one works
	})
	if s := f.Stats(); s.AllocationsCreated != 3 {
		t.Errorf("%+v", s)
	}
}

func TestLongCallOutlivesItsCredential(t *testing.T) {
	f := setUp(t, nil)
	echo, _ := startEcho(t)
	f.peers.add(echo)
	eachTransport(t, func(t *testing.T, transport string) {
		username, password := f.Credentials(uuid.New(), time.Minute)
		c := newClient(t, f, transport, username, password)
		relayed := c.allocate(t)
		if err := exchange(t, relayed, echo, "before"); err != nil {
			t.Fatal(err)
		}
		f.clock.advance(2 * time.Minute)
		// A new permission is an authenticated request with the expired credential.
		if err := c.CreatePermission(net.UDPAddrFromAddrPort(echo)); err != nil {
			t.Errorf("the running allocation was cut: %v", err)
		}
		if err := exchange(t, relayed, echo, "after"); err != nil {
			t.Error(err)
		}
		if again, err := newClient(t, f, transport, username, password).Allocate(); err == nil {
			again.Close()
			t.Error("an expired credential made another allocation")
		}
	})
}

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

func TestSelfTest(t *testing.T) {
	f := setUp(t, nil)
	if err := f.SelfTest(background(t)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := f.SelfTest(background(t)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s := f.Stats(); s.AllocationsCreated != 12 || s.Allocations != 0 {
		t.Errorf("%+v", s)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.SelfTest(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want Canceled", err)
	}
}

func TestSelfTestNamesWhatFails(t *testing.T) {
	f := setUp(t, func(c *turn.Config) {
		c.TCPAddr = ""
		c.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate(t, time.Now().Add(-time.Hour))}}
	})
	err := f.SelfTest(background(t))
	if err == nil || !strings.Contains(err.Error(), "TLS") || !strings.Contains(err.Error(), "in force") || strings.Contains(err.Error(), "UDP") {
		t.Errorf("%v, want that the TLS certificate is not in force", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := f.SelfTest(ctx); err == nil || !strings.Contains(err.Error(), "UDP") {
		t.Errorf("a closed server: %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	f := setUp(t, nil)
	echo, _ := startEcho(t)
	f.peers.add(echo)
	for _, transport := range []string{"udp", "tcp", "tls"} {
		username, password := f.Credentials(uuid.New(), time.Minute)
		if err := exchange(t, newClient(t, f, transport, username, password).allocate(t), echo, "before close"); err != nil {
			t.Fatal(err)
		}
	}
	idle, err := net.Dial("tcp", f.TLSAddr().String()) // in the middle of its handshake
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	udp := f.UDPAddr()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if s := f.Stats(); s.Allocations != 0 {
		t.Errorf("%+v", s)
	}
	again, err := net.ListenPacket("udp", udp.String())
	if err != nil {
		t.Fatalf("the port is not free: %v", err)
	}
	again.Close()
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
