package turn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the REST draft's algorithm; HMAC-SHA-1 has no known weakness as a MAC
	"encoding/base64"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// MaxTTL is the longest validity of a credential.
const MaxTTL = time.Hour

// credential is what the server knows of a user name.
type credential struct {
	name        string
	participant uuid.UUID
	expires     time.Time
	selfTest    bool
	relays      map[*relay]struct{} // guarded by the registry
}

// registry holds the credentials of this process and their relays.
type registry struct {
	secret []byte
	now    func() time.Time

	mu     sync.Mutex
	byName map[string]*credential
	relays int
	swept  time.Time
}

func (r *registry) issue(participant uuid.UUID, ttl time.Duration, selfTest bool) (*credential, string) {
	ttl = min(max(ttl, 0), MaxTTL)
	c := &credential{participant: participant, expires: r.now().Add(ttl), selfTest: selfTest, relays: map[*relay]struct{}{}}
	c.name = strconv.FormatInt(c.expires.Unix(), 10) + ":" + strings.ToLower(rand.Text())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep()
	r.byName[c.name] = c
	return c, r.password(c.name)
}

// sweep forgets, at most once a minute, expired credentials that nothing uses.
func (r *registry) sweep() {
	now := r.now()
	if now.Sub(r.swept) < time.Minute {
		return
	}
	r.swept = now
	for name, c := range r.byName {
		if c.expired(now) && len(c.relays) == 0 {
			delete(r.byName, name)
		}
	}
}

func (c *credential) expired(now time.Time) bool { return !now.Before(c.expires) }

// password is base64(HMAC-SHA-1(secret, user name)), draft-uberti-behave-turn-rest-00, 2.2.
func (r *registry) password(name string) string {
	mac := hmac.New(sha1.New, r.secret)
	mac.Write([]byte(name))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (r *registry) find(name string) *credential {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byName[name]
}

// revoke makes every credential of the participant useless and returns its relays, to be closed.
func (r *registry) revoke(match func(*credential) bool) []*relay {
	r.mu.Lock()
	defer r.mu.Unlock()
	var relays []*relay
	for name, c := range r.byName {
		if !match(c) {
			continue
		}
		delete(r.byName, name)
		for relay := range c.relays {
			relays = append(relays, relay)
		}
	}
	return relays
}

// admit counts a relay in, unless a limit is reached.
func (r *registry) admit(c *credential, relay *relay, perCredential, inAll int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName[c.name] != c || len(c.relays) >= perCredential || r.relays >= inAll {
		return false
	}
	c.relays[relay] = struct{}{}
	r.relays++
	return true
}

func (r *registry) release(c *credential, relay *relay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, admitted := c.relays[relay]; admitted {
		delete(c.relays, relay)
		r.relays--
	}
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.relays
}
