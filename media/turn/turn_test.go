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
