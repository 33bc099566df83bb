package accounts

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"
)

// Session is one signed-in browser.
type Session struct {
	// ID is the public name of the session (claim sid); the cookie holds a secret instead.
	ID       string
	Subject  string
	AuthTime time.Time
	seen     time.Time
}

const (
	sessionCookie = "__Host-sandbox-session"
	idleLimit     = 8 * time.Hour // a shift
)

// Sessions keeps signed-in browsers in memory: a restart signs everybody out.
type Sessions struct {
	mu       sync.Mutex
	now      func() time.Time
	bySecret map[string]*Session
}

// NewSessions makes an empty set.
func NewSessions(now func() time.Time) *Sessions {
	return &Sessions{now: now, bySecret: map[string]*Session{}}
}

// Start signs a user in and sets the cookie. A session the browser had before ends, so
// that nobody keeps the one they had planted.
func (s *Sessions) Start(w http.ResponseWriter, r *http.Request, subject string) Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(r.Header)
	secret := rand.Text()
	session := &Session{ID: rand.Text(), Subject: subject, AuthTime: s.now(), seen: s.now()}
	s.bySecret[secret] = session
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return *session
}

// Current returns the session of a request with these headers.
func (s *Sessions) Current(header http.Header) (Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.bySecret[secretOf(header)]
	if !ok {
		return Session{}, false
	}
	if s.now().Sub(session.seen) > idleLimit {
		delete(s.bySecret, secretOf(header))
		return Session{}, false
	}
	session.seen = s.now()
	return *session, true
}

// Alive reports whether the session with the public name has not ended.
func (s *Sessions) Alive(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.bySecret {
		if session.ID == id {
			return s.now().Sub(session.seen) <= idleLimit
		}
	}
	return false
}

// End signs the browser with these headers out.
func (s *Sessions) End(header http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(header)
}

// EndByID ends the session with the public name.
func (s *Sessions) EndByID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for secret, session := range s.bySecret {
		if session.ID == id {
			delete(s.bySecret, secret)
		}
	}
}

func (s *Sessions) drop(header http.Header) { delete(s.bySecret, secretOf(header)) }

func secretOf(header http.Header) string {
	cookie, err := (&http.Request{Header: header}).Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}
