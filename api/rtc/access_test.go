package rtc_test

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/televisit/televisit/api/rtc"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
)

// ledger is an Access that keeps its tokens in memory: each is good once.
type ledger struct {
	mu     sync.Mutex
	next   int
	grants map[string]rtc.Grant
	used   map[string]bool
	stale  map[string]bool
}

func newLedger() *ledger {
	return &ledger{grants: map[string]rtc.Grant{}, used: map[string]bool{}, stale: map[string]bool{}}
}

func (l *ledger) issue(grant rtc.Grant) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	token := "token-" + strconv.Itoa(l.next)
	l.grants[token] = grant
	return token
}

func (l *ledger) expire(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stale[token] = true
}

func (l *ledger) Redeem(_ context.Context, _ identity.Caller, token string) (rtc.Grant, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	grant, known := l.grants[token]
	switch {
	case !known:
		return rtc.Grant{}, &join.TokenRefused{Reason: "foreign"}
	case l.stale[token]:
		return rtc.Grant{}, &rtc.Refusal{Code: "expired", Text: "too late"}
	case l.used[token]:
		return rtc.Grant{}, rtc.ErrTokenUsed
	}
	l.used[token] = true
	return grant, nil
}

func (l *ledger) Renew(_ context.Context, grant rtc.Grant) (string, time.Time, error) {
	return l.issue(grant), time.Now().Add(5 * time.Minute), nil
}
