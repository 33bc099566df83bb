package smart

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// launchLife is how long a launch token waits for its authorization request.
const launchLife = 2 * time.Minute

// Launch is what the chart hands to an application it launches.
type Launch struct {
	ClientID string
	// Subject is the user who launched; only they can use the launch.
	Subject string
	// Patient and Appointment are ids; Appointment may be empty.
	Patient, Appointment string
}

var errLaunch = errors.New("the launch is unknown, used or expired")

// launches are opaque tokens, kept as hashes, each good for one authorization request.
type launches struct {
	mu   sync.Mutex
	now  func() time.Time
	open map[[32]byte]openLaunch
}

type openLaunch struct {
	Launch
	until time.Time
}

func newLaunches(now func() time.Time) *launches {
	return &launches{now: now, open: map[[32]byte]openLaunch{}}
}

func (l *launches) issue(launch Launch) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for key, o := range l.open {
		if o.until.Before(now) {
			delete(l.open, key)
		}
	}
	token := rand.Text()
	l.open[sha256.Sum256([]byte(token))] = openLaunch{Launch: launch, until: now.Add(launchLife)}
	return token
}

func (l *launches) take(token, clientID string) (Launch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := sha256.Sum256([]byte(token))
	o, ok := l.open[key]
	delete(l.open, key)
	if !ok || o.ClientID != clientID || o.until.Before(l.now()) {
		return Launch{}, errLaunch
	}
	return o.Launch, nil
}
